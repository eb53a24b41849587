// @ts-check

// What a token says of who is there. It is shown, and never trusted: the server decides.

const MERCHANTS = ["merchant", "restaurant", "shop", "owner"];
const ADMIN = "admin";

/** @param {string} token @returns {{id: string, role: string, isMerchant: boolean, isOther: boolean}} */
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
  const role = String(claims.role ?? claims.user_role ?? claims.user_type ?? "").toLowerCase();
  return {
    id: String(claims.name ?? claims.sub ?? claims.user_id ?? "somebody"),
    role: role || (isRead ? "person without a role" : ""),
    isMerchant: MERCHANTS.includes(role),
    isOther: isRead && role !== ADMIN && !MERCHANTS.includes(role),
  };
}
