// The session cookie is SameSite=Strict: a link that was opened from another site (a mail, a chat) arrives without it,
// also right after it was set. The same address, asked for from here, brings it. Once only.
const key = "hearth-again";
const address = new URL(location.href);
address.searchParams.delete("token");
if (!sessionStorage.getItem(key)) {
  sessionStorage.setItem(key, "1");
  location.replace(address);
} else {
  sessionStorage.removeItem(key);
  history.replaceState(null, "", address);
}
