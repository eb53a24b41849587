// Unmodified socket.io-client, led by lines of JSON on standard input; what happens to its sockets
// goes to standard output, a line of JSON each.
const { io } = require("socket.io-client");
const { version } = require("socket.io-client/package.json");

const sockets = {};
const say = (name, what, data) => console.log(JSON.stringify({ name, what, data }));

const does = {
  open({ name, url, options }) {
    const socket = (sockets[name] = io(url, { forceNew: true, ...options }));
    socket.on("connect", () => say(name, "connect", socket.id));
    socket.on("disconnect", (reason) => say(name, "disconnect", reason));
    socket.on("connect_error", (error) => {
      const body = error.context && error.context.responseText;
      say(name, "connect_error", { message: error.message, body });
    });
    socket.io.on("ping", () => say(name, "ping"));
    socket.onAny((event, data) => say(name, event, data));
  },
  emit({ name, event, data, acked }) {
    const given = data === undefined ? [event] : [event, data];
    if (acked) given.push((answer) => say(name, "ack", answer));
    sockets[name].emit(...given);
  },
  drop({ name }) {
    sockets[name].io.engine.close(); // the link breaks: the client comes back by itself
  },
  binary({ name, event }) {
    sockets[name].emit(event, { bytes: Buffer.from([1, 2, 3]) });
  },
  close({ name }) {
    sockets[name].disconnect();
  },
};

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const told = JSON.parse(line);
    does[told.does](told);
  })
  .on("close", () => process.exit(0));

say("", "ready", version);
