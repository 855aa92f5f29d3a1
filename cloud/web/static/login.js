// What the pages by which a person gets in do beyond plain forms.

// The session cookie is SameSite=Strict: who is signed in already and follows a link from another site (a mail, a chat)
// arrives without it. The same address, asked for from here, brings it. Once only.
const key = "hearth-again";
const { next } = document.body.dataset;
if (next !== undefined && !sessionStorage.getItem(key)) {
  sessionStorage.setItem(key, "1");
  location.replace(next);
} else {
  sessionStorage.removeItem(key);
}

// A password that is typed on a phone is better seen.
const field = document.querySelector("input[type=password]");
if (field) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small show";
  const say = () => {
    const hidden = field.type === "password";
    button.textContent = hidden ? "Show" : "Hide";
    button.setAttribute("aria-label", hidden ? "Show the password" : "Hide the password");
  };
  button.onclick = () => { field.type = field.type === "password" ? "text" : "password"; say(); field.focus(); };
  say();
  const row = document.createElement("span");
  row.className = "beside";
  field.replaceWith(row);
  row.append(field, button);
  if (field.autofocus) field.focus();
  field.form.addEventListener("submit", () => {
    field.type = "password"; // so that browsers keep it as one
    for (const b of field.form.querySelectorAll("button[type=submit]")) b.disabled = true;
  });
}
addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); }); // back again: the button is alive again
