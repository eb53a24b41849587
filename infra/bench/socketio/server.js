// Two Socket.IO servers, one with connection state recovery. Each line of input is an event for all
// clients of both. Prints their ports; ends with its input.
"use strict"

const http = require("node:http")
const readline = require("node:readline")
const { Server } = require("socket.io")

const recovery = { maxDisconnectionDuration: 120_000, skipMiddlewares: true }
const servers = [{}, { connectionStateRecovery: recovery }].map((options) => {
  const listener = http.createServer()
  return { listener, io: new Server(listener, { transports: ["websocket"], ...options }) }
})
const listening = ({ listener }) =>
  new Promise((done) => listener.listen(0, "127.0.0.1", () => done(listener.address().port)))

Promise.all(servers.map(listening)).then((ports) => {
  console.log(JSON.stringify(ports))
  let n = 0
  const input = readline.createInterface({ input: process.stdin })
  input.on("line", () => {
    n += 1
    for (const { io } of servers) io.emit("event", { n, at: Date.now() })
  })
  input.on("close", () => process.exit(0))
})
