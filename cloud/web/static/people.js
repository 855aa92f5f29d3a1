// The page about people, tokens, homes and tenants, and who did what.

import { html, render, useEffect, useState } from "./vendor/preact.js";
import { Audit } from "./audit.js";
import { Top } from "./nav.js";
import { Places } from "./places.js";
import { ask } from "./sheet.js";
import { Tokens } from "./tokens.js";
import { Users } from "./users.js";
import { You } from "./you.js";

const { version } = document.body.dataset;

/** The parts that somebody sees, by who they are. */
function partsOf(me) {
  const admin = me.grants.some((g) => g.scope === "admin");
  return [
    ...(admin ? [["people", "People", Users]] : []), ["tokens", "Tokens", Tokens],
    ...(admin ? [["places", "Homes", Places], ["history", "History", Audit]] : []),
    ...(me.user ? [["you", "You", You]] : []),
  ];
}

function Tabs({ parts, chosen, choose }) {
  const move = (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    const next = parts[(parts.findIndex(([id]) => id === chosen) + step + parts.length) % parts.length][0];
    choose(next);
    document.getElementById("tab-" + next).focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Parts of this page" onKeyDown=${move}>${parts.map(([id, name]) => html`<button type="button" role="tab" id=${"tab-" + id} key=${id}
    aria-selected=${id === chosen ? "true" : "false"} aria-controls="panel" tabIndex=${id === chosen ? 0 : -1} onClick=${() => choose(id)}>${name}</button>`)}</div>`;
}

function App() {
  const [me, meet] = useState(null);
  const [known, know] = useState(null);
  const [error, fail] = useState("");
  const [chosen, go] = useState(location.hash.slice(1));
  const load = async () => {
    try {
      const [who, homes, tenants] = await Promise.all([ask("GET", "/whoami"), ask("GET", "/homes"), ask("GET", "/tenants")]);
      meet({ ...who, grants: who.grants ?? [{ scope: who.scope, home: who.home || undefined, tenant: who.tenant }] });
      know({ homes, tenants });
    } catch (err) {
      fail(err.message);
    }
  };
  useEffect(() => {
    load();
    const turned = () => go(location.hash.slice(1));
    addEventListener("hashchange", turned);
    return () => removeEventListener("hashchange", turned);
  }, []);
  const choose = (id) => { history.replaceState(null, "", "#" + id); go(id); };
  const parts = me ? partsOf(me) : [];
  const [id, name, Part] = parts.find(([id]) => id === chosen) ?? parts[0] ?? [];
  return html`<${Top} title="People"/>
    <main>${error && html`<p class="notice bad" role="alert">${error}</p>`}
      ${me && known && html`<${Tabs} parts=${parts} chosen=${id} choose=${choose}/>
        <section class="panel" id="panel" role="tabpanel" aria-label=${name} key=${id}><${Part} me=${me} known=${known} reload=${load}/></section>`}
      ${!me && !error && html`<p class="empty">Loading…</p>`}
      <p class="quiet foot">hearth-cloud ${version}</p></main>`;
}

sessionStorage.removeItem("hearth-again");
render(html`<${App}/>`, document.getElementById("app"));
