// Asking again and again, and knowing when the answers stopped.

const patience = 15e3; // how long one answer may take, ms

export class Poll {
  /** Asks for what path() returns every so many ms while the page is seen; fn is called when there is news of any sort. */
  constructor(path, every, fn) {
    this.path = path;
    this.every = every;
    this.fn = fn;
    this.data = null;
    this.at = 0;          // when data came, ms of this clock
    this.connected = null; // null: not yet
    this.ended = false;   // the session is over
    this.error = "";      // what the receiver says is wrong
    this.offset = 0;      // the receiver's clock less this one's, ms
    this.timer = 0;
    this.asking = null;
  }

  start() {
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.now(); });
    addEventListener("online", () => this.now());
    return this.now();
  }

  /** The receiver's time, ms. */
  time() { return Date.now() + this.offset; }

  /** Asks at once. */
  now() {
    clearTimeout(this.timer);
    this.asking ??= this.ask().finally(() => {
      this.asking = null;
      this.timer = setTimeout(() => (document.hidden ? undefined : this.now()), this.every);
    });
    return this.asking;
  }

  async ask() {
    try {
      const reply = await fetch(this.path(), { signal: AbortSignal.timeout(patience) });
      this.ended = reply.status === 401;
      this.connected = reply.status < 500;
      const served = Number(reply.headers.get("Hearth-Time"));
      if (served) this.offset = served - Date.now();
      const data = await reply.json();
      if (reply.ok) {
        this.data = data;
        this.at = Date.now();
        this.error = "";
      } else if (!this.ended) {
        this.error = data.detail || data.title || "HTTP " + reply.status;
      }
    } catch {
      this.connected = false;
    }
    this.fn();
  }
}
