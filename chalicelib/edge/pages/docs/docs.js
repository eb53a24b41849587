// Shows openapi.json and asyncapi.json, which lie beside this file. Nothing else is fetched, and
// whatever the documents say is put in as text.

const METHODS = ["get", "post", "put", "patch", "delete"];

function make(tag, content = [], attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...[content].flat());
  return element;
}

// Paragraphs, lists, `code` and **bold**: all of Markdown that the documents have.
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) =>
    part.startsWith("`") ? make("code", part.slice(1, -1))
    : part.startsWith("**") ? make("strong", part.slice(2, -2)) : part);
}

function prose(text = "") {
  return text.trim().split(/\n\n+/).filter(Boolean).map((block) =>
    block.startsWith("- ")
      ? make("ul", block.slice(2).split(/\n- /).map((item) => make("li", inline(item))))
      : make("p", inline(block)));
}

function resolve(root, value) {
  if (!value?.$ref) return value;
  const path = value.$ref.slice(2).split("/").map((p) => p.replace(/~1/g, "/").replace(/~0/g, "~"));
  return resolve(root, path.reduce((found, name) => found[name], root));
}

// Schemas

function bounds(schema) {
  const words = [];
  for (const name of ["format", "minimum", "maximum", "minLength", "maxLength", "minItems",
    "maxItems", "maxProperties", "pattern", "default"]) {
    if (name in schema) words.push(`${name} ${JSON.stringify(schema[name])}`);
  }
  if (schema.additionalProperties === false) words.push("nothing else");
  return words;
}

function typeOf(root, schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  const kinds = schema.oneOf ?? schema.anyOf;
  if (kinds) return kinds.map((one) => typeOf(root, one)).join(" | ");
  if (schema.allOf) return typeOf(root, schema.allOf[0]);
  const type = [schema.type ?? "any"].flat().join(" | ");
  return schema.items ? `${type} of ${typeOf(root, schema.items)}` : type;
}

function parts(root, schema) {
  const found = resolve(root, schema);
  const inner = [found.items, ...(found.oneOf ?? []), ...(found.anyOf ?? []),
    ...(found.allOf ?? []), ...(found.prefixItems ?? [])].filter(Boolean);
  if (found.additionalProperties?.type) inner.push(found.additionalProperties);
  return { found, inner };
}

function hasMore(root, schema) {
  const { found, inner } = parts(root, schema);
  return Boolean(found.properties) || inner.some((one) => hasMore(root, one));
}

function showSchema(root, schema) {
  const { found, inner } = parts(root, schema);
  const shown = [];
  if (found.description) shown.push(make("p", inline(found.description), { class: "about" }));
  const names = Object.entries(found.properties ?? {});
  if (names.length) {
    shown.push(make("table", names.map(([name, one]) =>
      showField(root, name, one, (found.required ?? []).includes(name)))));
  }
  for (const one of inner) {
    if (hasMore(root, one)) shown.push(fold(typeOf(root, one), () => showSchema(root, one)));
  }
  if (!names.length && !shown.length) shown.push(make("code", typeOf(root, found)));
  return shown;
}

function showField(root, name, schema, isRequired) {
  const cell = [make("code", typeOf(root, schema))];
  const words = [schema.description, ...bounds(schema)].filter(Boolean);
  if (words.length) cell.push(" ", make("span", words.join("; "), { class: "about" }));
  if (hasMore(root, schema)) cell.push(fold("fields", () => showSchema(root, schema)));
  const label = make("span", name, { class: isRequired ? "name must" : "name" });
  return make("tr", [make("td", label), make("td", cell)]);
}

// What is folded is made when it is first opened: schemas refer to each other.
function fold(title, fill, attributes = {}) {
  const folded = make("details", make("summary", title), attributes);
  folded.addEventListener("toggle", () => folded.append(...fill()), { once: true });
  return folded;
}

const example = (value) => [make("h4", "Example"), make("pre", JSON.stringify(value, null, 2))];

// REST

function showOperation(root, operation) {
  const shown = prose(operation.description);
  if (operation.parameters?.length) {
    shown.push(make("h4", "Parameters"), make("table", operation.parameters.map((one) =>
      showField(root, `${one.name} (${one.in})`,
        { ...one.schema, description: one.description ?? one.schema.description }, one.required))));
  }
  if (operation.requestBody) shown.push(make("h4", "Body"), ...showContent(root, operation.requestBody));
  shown.push(make("h4", "Answers"));
  for (const [status, answer] of Object.entries(operation.responses)) {
    const found = resolve(root, answer);
    shown.push(fold(`${status} ${found.description}`, () => showContent(root, found)));
  }
  return shown;
}

function showContent(root, { content = {}, headers = {} }) {
  const shown = Object.entries(headers).map(([name, one]) =>
    make("p", [make("code", name), ` ${one.description ?? ""}`]));
  for (const [type, media] of Object.entries(content)) {
    shown.push(make("p", make("code", type)), ...showSchema(root, media.schema));
    if (media.example) shown.push(...example(media.example));
  }
  return shown;
}

function line(method, name, summary = "") {
  return [make("span", method, { class: "method name" }), make("span", name, { class: "name" }),
    " ", make("span", summary, { class: "about" })];
}

function entry(title, fill, text) {
  return fold(title, fill, { "data-text": text.toLowerCase() });
}

function showRest(root) {
  const shown = [make("h2", "REST"), ...prose(root.info.description)];
  for (const tag of root.tags) {
    const entries = [];
    for (const [path, item] of Object.entries(root.paths)) {
      for (const method of METHODS.filter((one) => item[one]?.tags.includes(tag.name))) {
        entries.push(entry(line(method.toUpperCase(), path, item[method].summary),
          () => showOperation(root, item[method]),
          `${method} ${path} ${JSON.stringify(item[method])}`));
      }
    }
    shown.push(make("section", [make("h3", tag.name), ...prose(tag.description), ...entries]));
  }
  const hooks = Object.entries(root.webhooks).map(([type, { post }]) =>
    entry(line("POST", type), () => showOperation(root, post), type));
  shown.push(make("section", [make("h3", "webhooks"), ...hooks]));
  return shown;
}

// Sockets

function showMessage(root, message) {
  const shown = [...prose(message.description), ...showSchema(root, message.payload)];
  for (const one of message.examples ?? []) shown.push(...example(one.payload));
  return shown;
}

function showChannel(root, name, channel) {
  const entries = Object.entries(channel.messages).map(([id, reference]) => {
    const message = resolve(root, reference);
    const direction = id.endsWith(".in") ? "send" : "hear";
    return entry(line(direction, message.name, message.summary),
      () => showMessage(root, message), `${name} ${message.name} ${message.summary ?? ""}`);
  });
  return make("section", [make("h3", [name, " ", make("code", channel.address ?? "")]),
    ...prose(channel.description), ...entries]);
}

function showSockets(root) {
  const channels = Object.entries(root.channels).filter(([, channel]) => channel.address);
  return [make("h2", "Sockets"), ...prose(root.info.description),
    ...channels.map(([name, channel]) => showChannel(root, name, channel))];
}

function applyFilter(wanted) {
  for (const section of document.querySelectorAll("section")) {
    let any = false;
    for (const one of section.querySelectorAll("[data-text]")) {
      one.hidden = !one.dataset.text.includes(wanted);
      any ||= !one.hidden;
    }
    section.hidden = !any;
  }
}

const read = async (name) => (await fetch(new URL(name, import.meta.url))).json();
const main = document.getElementById("main");
try {
  const [rest, sockets] = await Promise.all([read("openapi.json"), read("asyncapi.json")]);
  main.replaceChildren(...showRest(rest), ...showSockets(sockets));
} catch (error) {
  main.replaceChildren(make("p", `The documents can't be read: ${error.message}`));
}
main.removeAttribute("aria-busy");
document.getElementById("filter").addEventListener("input", (event) =>
  applyFilter(event.target.value.trim().toLowerCase()));
