// Listen as applications do, and print what happens: `node listen.mjs CLIENT '[OPTIONS, …]'`.
// listen.py does the same with the other client.

const page = new EventTarget(); // Node has none
globalThis.addEventListener = page.addEventListener.bind(page);
globalThis.removeEventListener = page.removeEventListener.bind(page);
const { Waybill } = await import(process.argv[2]);
const all = JSON.parse(process.argv[3]);
await Promise.all(all.map((options, number) => listen(number, options)));
process.exit(0); // a half-open socket would wait for the other side's farewell

function listen(number, options) {
  const say = (...words) => console.log(number, ...words);
  const { until } = options; // a position, or a type, or how many events that are kept
  let count = 0;
  let kept = 0;
  let end;
  const ended = new Promise((resolve) => {
    end = () => {
      waybill.close();
      say("end");
      resolve();
    };
  });
  const waybill = new Waybill({
    url: options.url,
    token: () => (options.numbered ? `${options.token}.${++count}` : options.token),
    contract: options.contract,
    position: options.position,
    onPosition: (position) => {
      say("position", position);
      if (position === until || kept === until) end();
    },
    onGap: ({ from, oldest }) => say("gap", from, oldest),
    ...inMilliseconds(options.times),
  });
  waybill.on("*", (event) => {
    say("event", event.type, event.pos ?? "-");
    if (event.pos) kept += 1;
    if (event.type === until) end();
  });
  if (options.said) waybill.send(options.said);
  if (options.wakes_every_s) {
    setInterval(() => page.dispatchEvent(new Event("online")), options.wakes_every_s * 1000);
  }
  if (options.creates) create(waybill, options.creates, say).then(end);
  return ended;
}

async function create(waybill, paths, say) {
  for (const path of paths) {
    try {
      say("created", (await waybill.create(path, { notes: "für Ana" })).id);
    } catch (error) {
      say("refused", error.status, error.code, error.message);
    }
  }
  say("read", (await waybill.get("/read?a=b%7C&c=ä")).path);
}

function inMilliseconds(times) {
  if (!times) return {};
  const [heartbeat, timeout, delay, maxDelay] = [
    times.heartbeat_s, times.timeout_s, times.delay_s, times.max_delay_s,
  ].map((seconds) => seconds * 1000);
  return { heartbeat, timeout, delay, maxDelay };
}
