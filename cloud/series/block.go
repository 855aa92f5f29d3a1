package series

import "encoding/binary"

// A block is what one Write brought for one day: blockVersion, and for every series its id, the length of its chunk,
// and the chunk.
const blockVersion = 1

func appendToBlock(dst []byte, id uint32, chunk []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(id))
	dst = binary.AppendUvarint(dst, uint64(len(chunk)))
	return append(dst, chunk...)
}

// eachInBlock visits the chunks of a block. After an error, what was visited before is still a chunk that may decode.
func eachInBlock(block []byte, visit func(id uint32, chunk []byte)) error {
	r := reader{data: block}
	if r.byte() != blockVersion {
		return errCorrupt
	}
	for len(r.data) > 0 {
		id := r.uvarint()
		chunk := r.bytes(r.uvarint())
		if r.bad || id == 0 || id > 1<<32-1 {
			return errCorrupt
		}
		visit(uint32(id), chunk)
	}
	return nil
}
