"""A webhook's receiver that knows nothing of Hearth but the form of its signature.

usage: receiver.py SECRET [MODE...]

The requests are answered as the modes say, the last of which holds for the rest. It prints `port N`, and then one line of JSON for
each request: what came, whether the signature is right, and how it was answered.
"""
import hashlib, hmac, http.server, json, socket, struct, sys, threading, time

secret, modes = sys.argv[1].encode(), sys.argv[2:] or ["204"]
lock, count = threading.Lock(), 0


def signed(header, body):
    parts = dict(p.split("=", 1) for p in header.split(","))
    want = hmac.new(secret, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(want, parts["v1"]) and abs(time.time() - int(parts["t"])) < 60


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        print(json.dumps({"followed": self.path}), flush=True)
        self.send_error(404)

    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            mode = modes[min(count, len(modes) - 1)]
            count += 1
            event = json.loads(body)
            print(json.dumps({
                "mode": mode, "path": self.path, "signed": signed(self.headers["Hearth-Signature"], body), "id": event["id"], "header": self.headers["Hearth-Event"],
                "sequence": int(self.headers["Hearth-Sequence"]), "kind": event["kind"], "alert": event["body"].get("id", ""),
            }), flush=True)
        getattr(self, "be_" + mode, self.be_status)(mode)

    def be_status(self, mode):
        self.send_response(int(mode))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def be_redirect(self, _):
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def be_reset(self, _):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def be_garbage(self, _):
        self.connection.sendall(b"\x00\xff this is no HTTP\r\n" * 100)
        self.connection.close()
        self.close_connection = True

    def be_late(self, _):
        time.sleep(0.02)
        self.be_status("204")

    def be_hang(self, _):
        time.sleep(40)

    def be_headers(self, _):
        self.send_response(200)
        for n in range(2000):
            self.send_header("X-%d" % n, "x" * 100)
        self.end_headers()

    def be_slow(self, _):  # 200, and then a body without an end
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"1\r\nx\r\n")
                time.sleep(0.2)
        except OSError:
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # who is killed breaks connections


server = Server(("127.0.0.1", 0), Handler)
print("port", server.server_address[1], flush=True)
server.serve_forever()
