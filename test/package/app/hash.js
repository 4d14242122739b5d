/** The SHA-256 of a model's weights in the order of their names, in hexadecimal. */
export async function hashOf(model) {
  const weights = Object.entries(model.stateDict()).sort(([a], [b]) => (a < b ? -1 : 1));
  const bytes = await new Blob(weights.map(([, weight]) => weight.data())).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
