// Listen as an application does, and print what happens: `node listen.mjs OPTIONS`.
// listen.py does the same with the other client.

const options = JSON.parse(process.argv[2]);
const { Waybill } = await import(options.client);
const say = (...words) => console.log(...words);
const { heartbeat_s, timeout_s, delay_s, max_delay_s } = options.times ?? {};
const times = {
  heartbeat: heartbeat_s && heartbeat_s * 1000,
  timeout: timeout_s && timeout_s * 1000,
  delay: delay_s && delay_s * 1000,
  maxDelay: max_delay_s && max_delay_s * 1000,
};
let count = 0;
const { until } = options; // a position, or a type

const waybill = new Waybill({
  url: options.url,
  token: () => (options.numbered ? `${options.token}.${++count}` : options.token),
  contract: options.contract,
  position: options.position,
  onPosition: (position) => (say("position", position), position === until && end()),
  onGap: ({ from, oldest }) => say("gap", from, oldest),
  ...(options.times ? times : {}),
});
waybill.on("*", (event) => {
  say("event", event.type, event.pos ?? "-");
  if (event.type === until) end();
});
if (options.said) waybill.send(options.said);

function end() {
  waybill.close();
  say("end");
  process.exit(0); // a half-open socket would wait for the other side's farewell
}
