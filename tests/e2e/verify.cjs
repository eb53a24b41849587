// Verifies requests with npm's standardwebhooks: one JSON a line, {secret, headers, body}, each
// answered by a line: "ok" or why not.
const { Webhook } = require('standardwebhooks')
const lines = require('node:readline').createInterface({ input: process.stdin })

lines.on('line', (line) => {
  const { secret, headers, body } = JSON.parse(line)
  try {
    new Webhook(secret).verify(body, headers)
    console.log('ok')
  } catch (error) {
    console.log(String(error))
  }
})
