"use strict";
const byId = (name) => document.getElementById(name);
const chosen = []; // items of this request, oldest first: {item_id, title}
let searches = 0; // the answer of an earlier search is not shown after that of a later one
let foundText = ""; // what the items shown were found by

async function ask(path, body) {
  const headers = { "Content-Type": "application/json" };
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  const options = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  let response;
  let answer;
  try {
    response = await fetch(path, options);
    answer = await response.json();
  } catch {
    throw new Error("The service does not answer. Is it running?");
  }
  if (response.status === 401) {
    byId("token-field").hidden = false;
    if (path === "/recommend") byId("token").focus();
    throw new Error("This service asks for a token: write a valid one in the first field.");
  }
  if (!response.ok) throw new Error(`${answer.error.where ? `${answer.error.where}: ` : ""}${answer.error.reason}`);
  return answer;
}

function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

function say(text, isError) {
  byId("status").textContent = text;
  byId("status").className = isError ? "error" : "";
}

function showHistory() {
  byId("history").replaceChildren(...chosen.map((event, place) => {
    const row = element("li", "", `${event.title || event.item_id} `);
    const remove = element("button", "quiet", "remove");
    remove.type = "button";
    remove.setAttribute("aria-label", `remove ${event.title || event.item_id}`);
    remove.onclick = () => { chosen.splice(place, 1); showHistory(); byId("title").focus(); };
    row.append(remove);
    return row;
  }));
}

function closeFound() {
  searches += 1; // nor is the answer of a search that is on its way
  byId("found").hidden = true;
  byId("title").setAttribute("aria-expanded", "false");
  byId("title").removeAttribute("aria-activedescendant");
}

function choose(item) {
  chosen.push(item);
  byId("title").value = "";
  closeFound();
  say("", false);
  showHistory();
}

function mark(step) {
  const rows = [...byId("found").children];
  const old = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
  const place = (old + step + rows.length + (old < 0 && step < 0 ? 1 : 0)) % rows.length;
  rows.forEach((row, number) => row.setAttribute("aria-selected", String(number === place)));
  rows[place].scrollIntoView({ block: "nearest" });
  byId("title").setAttribute("aria-activedescendant", rows[place].id);
}

async function searchItems() {
  const text = byId("title").value.trim();
  if (!text) return closeFound();
  const number = ++searches;
  let items;
  try {
    ({ items } = await ask(`/search/items?text=${encodeURIComponent(text)}`));
  } catch (error) {
    return say(error.message, true);
  }
  if (number !== searches) return undefined;
  closeFound();
  foundText = text;
  byId("found").replaceChildren(...items.map((item, place) => {
    const row = element("li", "", item.title ? `${item.title} (${item.item_id})` : item.item_id);
    row.id = `found-${place}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    row.onclick = () => choose(item);
    return row;
  }));
  byId("found").hidden = !items.length;
  byId("title").setAttribute("aria-expanded", String(items.length > 0));
  return say(items.length ? "" : `No item has “${text}” in its title or id.`, false);
}

async function searchUsers() {
  const text = byId("user").value.trim();
  if (!text) return;
  try {
    const { users } = await ask(`/search/users?text=${encodeURIComponent(text)}`);
    byId("users").replaceChildren(...users.map((user) => { const row = element("option"); row.value = user; return row; }));
  } catch (error) {
    say(error.message, true);
  }
}

function titleKey(event) {
  const isOpen = !byId("found").hidden;
  const text = byId("title").value.trim();
  if (event.key === "Escape") closeFound();
  if (event.key === "Enter" && text) {
    event.preventDefault(); // only an empty field sends the form
    const row = byId("found").querySelector("[aria-selected=true]") || byId("found").firstElementChild;
    if (isOpen && foundText === text) row.click();
    else searchItems();
  }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (isOpen) mark(event.key === "ArrowDown" ? 1 : -1);
    else searchItems();
  }
}

function showAnswer(answer, asked) {
  byId("list").replaceChildren(...answer.items.map((item) => {
    const row = element("li");
    row.append(element("span", "rank", item.rank), element("span", "title", item.title || item.item_id));
    if (item.intensity !== null) {
      const meter = element("div", "meter");
      const bar = element("progress");
      bar.max = 1;
      bar.value = item.intensity;
      bar.setAttribute("aria-hidden", "true"); // the text beside it says the same
      meter.append(bar, element("span", "", `intensity ${item.intensity.toFixed(2)}`));
      row.append(meter);
    }
    if (item.why) row.append(element("p", "why", item.why));
    return row;
  }));
  const known = asked.user && !answer.unknown.user;
  const who = known ? `For user ${asked.user}` : "For a new person";
  byId("answer-title").textContent = asked.history ? `${who} with this history` : who;
  const moment = answer.as_of ? `As of ${answer.as_of.slice(0, 16).replace("T", " ")} UTC; ` : "";
  byId("about").textContent = `${moment}decision ${answer.decision.slice(0, 12)}.`;
  byId("answer").hidden = !answer.items.length;
  const unknown = answer.unknown.user ? "This user is unknown, so this is the list of a new person. " : "";
  const total = { 0: "No item may be in this list.", 1: "One item." }[answer.items.length];
  say(unknown + (total || `${answer.items.length} items.`), false);
}

byId("ask").onsubmit = async (event) => {
  event.preventDefault();
  if (byId("title").value.trim()) {
    byId("title").focus();
    return say("The history has a text that is no item yet: choose an item from the list, or empty the field.", true);
  }
  if (byId("token").value) sessionStorage.setItem("token", byId("token").value);
  const asked = { k: Number(byId("k").value), explain: byId("explain").checked };
  if (byId("user").value.trim()) asked.user = byId("user").value.trim();
  if (chosen.length) asked.history = chosen.map(({ item_id }) => ({ item: item_id }));
  say("Asking…", false);
  try {
    showAnswer(await ask("/recommend", asked), asked);
    return byId("status").scrollIntoView({ block: "nearest" });
  } catch (error) {
    byId("answer").hidden = true;
    return say(error.message, true);
  }
};
byId("title").oninput = searchItems;
byId("title").onblur = closeFound;
byId("title").onkeydown = titleKey;
byId("found").onmousedown = (event) => event.preventDefault(); // the field keeps the focus, so the list stays open
byId("user").oninput = searchUsers;
