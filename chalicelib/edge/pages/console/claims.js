// @ts-check

// What a token says of who is there. It is shown, and never trusted: the server decides.

const MERCHANTS = ["merchant", "restaurant", "shop", "owner"];
const OTHERS = ["customer", "rider", "user", "courier", "driver", "delivery_boy"];
const ROLES = ["admin", ...MERCHANTS, ...OTHERS];

/** @param {string} token
 * @returns {{id: string, subject: string, role: string, isMerchant: boolean, isOther: boolean}} */
export function readClaims(token) {
  let claims = /** @type {any} */ ({});
  let isRead = false;
  try {
    const text = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    claims = Object(JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0)))));
    isRead = true;
  } catch {
    // the server will say what is wrong with it
  }
  const role = readRole(claims);
  return {
    subject: String(claims.sub ?? claims.user_id ?? ""),
    id: String(claims.name ?? claims.sub ?? claims.user_id ?? "somebody"),
    role: role || (isRead ? "person without a role" : ""),
    isMerchant: MERCHANTS.includes(role),
    isOther: isRead && role !== "admin" && !MERCHANTS.includes(role),
  };
}

// The first that is a role of ours, as the server reads it: providers write it in claims of different
// names, among groups of their own.
function readRole({ role, user_role, user_type, groups }) {
  const words = [role, user_role, user_type, ...(Array.isArray(groups) ? groups : [groups])];
  const said = words.map((word) => (typeof word === "string" ? word.trim().toLowerCase() : ""));
  return said.find((word) => ROLES.includes(word)) ?? "";
}
