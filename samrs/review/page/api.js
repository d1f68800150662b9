// Requests to the server of this page, and nowhere else.

export const windowId = crypto.getRandomValues(new Uint32Array(2)).join("-");

export class Refusal extends Error {
  constructor(status, said) {
    super(said.error || "the server refused");
    this.status = status;
    this.number = said.number;
  }
}

async function answered(response) {
  if (response.ok) return response;
  let said = {};
  try { said = await response.json(); } catch { /* plain text */ }
  throw new Refusal(response.status, said);
}

export async function get(address) {
  return (await answered(await fetch(address))).json();
}

export async function numbers(address) {
  return (await answered(await fetch(address))).arrayBuffer();
}

export async function send(address, what) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(what),
  });
  return (await answered(response)).json();
}

export function change(what) {
  return send("/api/change", { window: windowId, ...what });
}
