// Devices of a Socket.IO server whose links are cut at random: clients.js PORTS DEVICES LINK_S AWAY_S.
// A line of input has them keep their links from now on; the end of the input has them tell, one
// line of JSON: by port, by device, what was heard in what order, after how many ms, on how many links.
"use strict"

const readline = require("node:readline")
const { io } = require("socket.io-client")

const [ports, devices, linkS, awayS] = process.argv.slice(2).map((text) => JSON.parse(text))
const between = ([least, most]) => 1000 * (least + Math.random() * (most - least))
let isCutting = true

const start = (port) => {
  const device = { heard: [], delays: [], links: 0, recovered: 0 }
  const options = { transports: ["websocket"], reconnection: false, forceNew: true }
  const socket = io(`http://127.0.0.1:${port}`, options)
  const back = () => setTimeout(() => socket.connect(), isCutting ? between(awayS) : 50)
  socket.on("connect", () => {
    device.links += 1
    device.recovered += socket.recovered ? 1 : 0
    const link = socket.io.engine.transport.ws
    setTimeout(() => isCutting && link.terminate(), between(linkS)) // no farewell
    if (device.links === 1 && --waiting === 0) console.log("ready")
  })
  socket.on("event", ({ n, at }) => {
    device.heard.push(n)
    device.delays.push(Date.now() - at)
  })
  socket.on("disconnect", back)
  socket.on("connect_error", back)
  return device
}

let waiting = ports.length * devices
const groups = ports.map((port) => Array.from({ length: devices }, () => start(port)))
const input = readline.createInterface({ input: process.stdin })
input.on("line", () => {
  isCutting = false
})
input.on("close", () => {
  process.stdout.write(JSON.stringify(groups) + "\n", () => process.exit(0))
})
