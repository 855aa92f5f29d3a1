package buffer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"runtime"
)

// Reading a bbolt file does not go through bbolt: its memory map turns a truncated file into a fault, a zeroed page
// into a panic and a looped branch into an endless recursion, and its pages count as ours. What is read here is read
// with ReadAt, bounded, and every step is checked. bbolt itself only writes, and only into files that passed this.

const (
	pageSize     = 4096
	pageHeader   = 16
	pageElement  = 16
	bucketHeader = 16
	metaBytes    = 64
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	leafPage     = 0x02
	branchPage   = 0x01
	bucketFlag   = 0x01
	maxDepth     = 12
)

var (
	errDamaged = errors.New("damaged")
	errStop    = errors.New("enough") // ends a walk without being an error
)

func damagef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// A tree is one committed state of a bbolt file.
type tree struct {
	file  io.ReaderAt
	root  uint64
	pages uint64 // how many pages belong to the file
	buf   [maxDepth][]byte
	seen  []bool // pages met, if they are to be met only once
}

// openTree checks the size and both meta pages of a file. Both are written whole before a segment gets its name, so
// one that is invalid is damage, and what it led to would be lost silently by falling back on the other.
func openTree(file io.ReaderAt, size int64) (*tree, error) {
	var why error
	for range 5 { // the writer may be just writing one
		t, err := readMetas(file)
		if err == nil {
			if int64(t.pages)*pageSize > size {
				return nil, damagef("truncated: %d bytes instead of %d", size, t.pages*pageSize)
			}
			return t, nil
		}
		why = err
		runtime.Gosched()
	}
	return nil, why
}

func readMetas(file io.ReaderAt) (*tree, error) {
	t, newest := &tree{file: file}, uint64(0)
	for id := range int64(2) {
		var page [pageHeader + metaBytes]byte
		if _, err := file.ReadAt(page[:], id*pageSize); err != nil {
			return nil, readError(err, "meta page")
		}
		meta, sum := page[pageHeader:], fnv.New64a()
		sum.Write(meta[:metaBytes-8])
		order := binary.NativeEndian
		if order.Uint32(meta) != metaMagic || order.Uint32(meta[4:]) != metaVersion || order.Uint64(meta[56:]) != sum.Sum64() {
			return nil, damagef("meta page %d is invalid", id)
		}
		if size := order.Uint32(meta[8:]); size != pageSize {
			return nil, damagef("page size %d instead of %d", size, pageSize)
		}
		if txid := order.Uint64(meta[48:]); txid >= newest {
			newest, t.root, t.pages = txid, order.Uint64(meta[16:]), order.Uint64(meta[40:])
		}
	}
	if t.pages > 1<<40/pageSize {
		return nil, damagef("it claims %d pages", t.pages)
	}
	return t, nil
}

func readError(err error, what string) error {
	if errors.Is(err, io.EOF) {
		return damagef("%s is beyond the end", what)
	}
	return damagef("reading %s: %v", what, err)
}

// page returns page id with its overflow, in the buffer of that depth.
func (t *tree) page(id uint64, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return nil, damagef("page %d is too deep", id)
	}
	if id < 2 || id >= t.pages {
		return nil, damagef("page %d of %d", id, t.pages)
	}
	if cap(t.buf[depth]) < pageSize {
		t.buf[depth] = make([]byte, pageSize, 2*pageSize)
	}
	buf := t.buf[depth][:pageSize]
	if _, err := t.file.ReadAt(buf, int64(id)*pageSize); err != nil {
		return nil, readError(err, "page")
	}
	if binary.NativeEndian.Uint64(buf) != id {
		return nil, damagef("page %d says it is another", id)
	}
	overflow := uint64(binary.NativeEndian.Uint32(buf[12:]))
	if id+overflow >= t.pages {
		return nil, damagef("page %d overflows the file", id)
	}
	if overflow > 0 {
		buf = append(buf, make([]byte, overflow*pageSize)...)
		if _, err := t.file.ReadAt(buf[pageSize:], int64(id+1)*pageSize); err != nil {
			return nil, readError(err, "page")
		}
	}
	t.buf[depth] = buf
	return buf, t.meet(id, overflow)
}

func (t *tree) meet(id, overflow uint64) error {
	if t.seen == nil {
		return nil
	}
	for i := id; i <= id+overflow; i++ {
		if t.seen[i] {
			return damagef("page %d is used twice", i)
		}
		t.seen[i] = true
	}
	return nil
}

// An element is one entry of a page: of a leaf a key and a value, of a branch a key and a page.
type element struct {
	flags      uint32
	key, value []byte
	child      uint64
}

func pageCount(page []byte) (count int, leaf bool, err error) {
	if len(page) < pageHeader {
		return 0, false, damagef("a page of %d bytes", len(page))
	}
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if flags != leafPage && flags != branchPage {
		return 0, false, damagef("a page of kind %#x", flags)
	}
	if pageHeader+count*pageElement > len(page) {
		return 0, false, damagef("%d entries on one page", count)
	}
	if flags == branchPage && count == 0 {
		return 0, false, damagef("an empty branch")
	}
	return count, flags == leafPage, nil
}

func pageEntry(page []byte, i int, leaf bool) (element, error) {
	at := pageHeader + i*pageElement
	head, order := page[at:at+pageElement], binary.NativeEndian
	var e element
	var pos, ksize, vsize uint64
	if leaf {
		e.flags = order.Uint32(head)
		pos, ksize, vsize = uint64(order.Uint32(head[4:])), uint64(order.Uint32(head[8:])), uint64(order.Uint32(head[12:]))
	} else {
		pos, ksize, e.child = uint64(order.Uint32(head)), uint64(order.Uint32(head[4:])), order.Uint64(head[8:])
	}
	from := uint64(at) + pos
	if from+ksize+vsize > uint64(len(page)) || pos < pageElement {
		return e, damagef("an entry beyond its page")
	}
	e.key, e.value = page[from:from+ksize], page[from+ksize:from+ksize+vsize]
	return e, nil
}

// A bucket is where the entries of one bbolt bucket begin: a page, or an inline one.
type bucket struct {
	root   uint64
	inline []byte
}

// bucket finds a top-level bucket.
func (t *tree) bucket(name string) (bucket, error) {
	found, is := bucket{}, false
	err := t.walk(bucket{root: t.root}, []byte(name), func(e element) (err error) {
		if string(e.key) == name {
			is = true
			if found, err = bucketOf(e); err != nil {
				return err
			}
		}
		return errStop
	})
	if err == nil && !is {
		err = damagef("it has no bucket %s", name)
	}
	return found, err
}

func bucketOf(e element) (bucket, error) {
	if e.flags&bucketFlag == 0 || len(e.value) < bucketHeader {
		return bucket{}, damagef("an entry beside its buckets")
	}
	b := bucket{root: binary.NativeEndian.Uint64(e.value)}
	if b.root == 0 {
		b.inline = bytes.Clone(e.value[bucketHeader:])
	}
	return b, nil
}

// walk calls each for the entries of a bucket from a key on, in order, until it returns an error; errStop is none.
// What it gets is valid until it returns.
func (t *tree) walk(b bucket, from []byte, each func(element) error) error {
	w := walker{tree: t, from: from, each: each}
	var err error
	if b.root == 0 {
		err = w.entries(b.inline, 0)
	} else {
		err = w.page(b.root, 0)
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

type walker struct {
	*tree
	from, last []byte
	each       func(element) error
	met        uint64 // pages: a tree meets each once
}

func (w *walker) page(id uint64, depth int) error {
	if w.met++; w.met > w.pages {
		return damagef("its branches go in circles")
	}
	page, err := w.tree.page(id, depth)
	if err != nil {
		return err
	}
	return w.entries(page, depth)
}

func (w *walker) entries(page []byte, depth int) error {
	count, leaf, err := pageCount(page)
	if err != nil {
		return err
	}
	start, err := w.start(page, count, leaf)
	if err != nil {
		return err
	}
	for i := start; i < count; i++ {
		e, err := pageEntry(page, i, leaf)
		if err != nil {
			return err
		}
		switch {
		case !leaf:
			err = w.page(e.child, depth+1)
		case w.last != nil && bytes.Compare(e.key, w.last) <= 0:
			err = damagef("its keys are out of order")
		default:
			w.last = append(w.last[:0], e.key...)
			err = w.each(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// start returns the first entry of a page that can hold keys from w.from on.
func (w *walker) start(page []byte, count int, leaf bool) (int, error) {
	low, high := 0, count // the first entry whose key is at least from
	for low < high {
		middle := (low + high) / 2
		e, err := pageEntry(page, middle, leaf)
		if err != nil {
			return 0, err
		}
		if bytes.Compare(e.key, w.from) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if leaf || low == 0 {
		return low, nil
	}
	if low < count {
		if e, err := pageEntry(page, low, leaf); err != nil || bytes.Equal(e.key, w.from) {
			return low, err
		}
	}
	return low - 1, nil
}

// verify walks everything and refuses a file in which bbolt could lose its way: it must not be given one to write.
func (t *tree) verify() error {
	t.seen = make([]bool, t.pages)
	defer func() { t.seen = nil }()
	var buckets []bucket
	err := t.walk(bucket{root: t.root}, nil, func(e element) error {
		b, err := bucketOf(e)
		buckets = append(buckets, b)
		return err
	})
	for i := 0; err == nil && i < len(buckets); i++ {
		err = t.walk(buckets[i], nil, func(e element) error {
			if e.flags != 0 {
				return damagef("a bucket in a bucket")
			}
			return nil
		})
	}
	return err
}
