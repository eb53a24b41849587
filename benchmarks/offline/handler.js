// The same handlers as ../echo.py: echo through @connections, echo by returning, fan-out.
// The AWS SDK takes twice the time to post; this signs and sends as sparely as echo.py does.
"use strict"

const { createHash, createHmac } = require("node:crypto")
const http = require("node:http")

const port = process.env.WEBSOCKET_PORT
const host = `127.0.0.1:${port}`
const agent = new http.Agent({ keepAlive: true, maxSockets: 50 })
const scope = (day) => `${day}/us-east-1/execute-api/aws4_request`
const mac = (key, text) => createHmac("sha256", key).update(text).digest()
const hash = (text) => createHash("sha256").update(text).digest("hex")
const everybody = new Set()
const done = { statusCode: 200 }

let key, keyDay
const signature = (path, body) => {
  const at = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "")
  const day = at.slice(0, 8)
  if (day !== keyDay) {
    key = ["us-east-1", "execute-api", "aws4_request"].reduce(mac, mac("AWS4local", day))
    keyDay = day
  }
  const signed = path.split("/").map(encodeURIComponent).join("/")
  const canonical = `POST\n${signed}\n\nhost:${host}\nx-amz-date:${at}\n\nhost;x-amz-date\n${hash(body)}`
  const signature = mac(key, `AWS4-HMAC-SHA256\n${at}\n${scope(day)}\n${hash(canonical)}`)
  const authorization =
    `AWS4-HMAC-SHA256 Credential=local/${scope(day)}, SignedHeaders=host;x-amz-date, ` +
    `Signature=${signature.toString("hex")}`
  return { "x-amz-date": at, authorization, "content-length": Buffer.byteLength(body) }
}

const post = (id, body, again = true) =>
  new Promise((resolve, reject) => {
    const path = `/@connections/${encodeURIComponent(id)}`
    const headers = signature(path, body)
    const sent = http.request({ agent, host: "127.0.0.1", port, path, method: "POST", headers })
    sent.on("error", (error) => {
      // A kept connection that had ended meanwhile.
      if (again && sent.reusedSocket && error.code === "ECONNRESET") {
        post(id, body, false).then(resolve, reject)
      } else reject(error)
    })
    sent.on("response", (answer) => {
      answer.resume()
      answer.on("end", () => {
        if (answer.statusCode < 300) resolve()
        else reject(new Error(`@connections answered ${answer.statusCode}`))
      })
    })
    sent.end(body)
  })

exports.connect = async (event) => {
  everybody.add(event.requestContext.connectionId)
  return done
}

exports.disconnect = async (event) => {
  everybody.delete(event.requestContext.connectionId)
  return done
}

exports.message = async (event) => {
  if (JSON.parse(event.body).action === "fan") {
    // Some ids outlive their sockets here, and are answered 410.
    await Promise.allSettled([...everybody].map((id) => post(id, event.body)))
  } else {
    await post(event.requestContext.connectionId, event.body)
  }
  return done
}

exports.returned = async (event) => ({ statusCode: 200, body: event.body })
