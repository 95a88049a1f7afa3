"use strict";
const $ = (id) => document.getElementById(id);
const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4];
const PAGE = 60; // tiles of the grid at once: each is a video
const KEYS = [
  ["a", "approve"], ["r", "reject; a digit says why, r or j goes on"], ["1 to 9", "reject for that reason"], ["s", "skip"], ["u", "undo the last verdict or edit"],
  ["j →", "next"], ["k ←", "previous"], ["n", "next that is not judged"], ["e", "edit the caption"],
  ["Ctrl Enter", "save the caption"], ["Esc", "leave editing, the grid or a box"], ["space", "pause, go on"],
  [", .", "one frame back, forth"], ["- +", "slower, faster"], ["m", "sound on, off"], ["g", "grid"],
  ["h", "hide scores, show them"], ["v", "agreement"], ["?", "this list"],
];
let state, shown = [], at = 0, detail = null, speed = 1, isMuted = true, isEditing = false, since = performance.now();
const past = []; // what undo goes back to: {clip, vote}
const judgedAt = []; // times of verdicts in this sitting, for the estimate

async function ask(path, said) {
  const options = said === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) };
  let answer;
  try { answer = await fetch(path, options); } catch { throw new Error("the review server does not answer: is it still running?"); }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

function tell(text, isCalm = false) {
  $("message").textContent = text;
  $("message").className = isCalm ? "calm" : "";
  $("message").hidden = !text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { $("message").hidden = true; }, isCalm ? 1800 : 8000);
}

const make = (tag, attributes = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...inside);
  return made;
};
const current = () => shown[at];
const verdictOf = (clip) => (clip.vote ? clip.vote.verdict : "open");
const clipAddress = (clip) => `clip/${clip.id}`;

// ---- the queue

const FILTERS = {
  all: () => true,
  edited: (clip) => Boolean(clip.vote && clip.vote.caption),
  kept: (clip) => clip.is_kept,
  left: (clip) => !clip.is_kept,
};
function filtered(clips) {
  const name = $("filter").value, letters = $("search").value.toLowerCase();
  const fits = FILTERS[name] || ((clip) => verdictOf(clip) === name);
  return clips.filter((clip) => fits(clip) && clip.uri.toLowerCase().includes(letters));
}
async function takePart() { // of the queue: what comes next
  const { clips } = await ask(`api/clips/${state.clips.length}`);
  if (!clips.length) throw new Error("the queue has changed: reload the page");
  state.clips.push(...clips);
  return clips;
}
function addShown(clips) {
  const wasEmpty = !shown.length;
  shown.push(...filtered(clips));
  if (wasEmpty && shown.length) refilter(shown[0]); else if (shown.length) { drawStrip(); drawProgress(); }
}
function refilter(keep) {
  shown = filtered(state.clips);
  at = Math.max(0, shown.indexOf(keep));
  $("nothing").hidden = shown.length > 0;
  if (!shown.length) { $("focus").hidden = $("grid").hidden = true; return drawProgress(); }
  if ($("grid").hidden) $("focus").hidden = false;
  show(at);
}

function drawProgress() {
  const counts = { approved: 0, rejected: 0, skipped: 0, open: 0 };
  for (const clip of state.clips) counts[verdictOf(clip)] += 1;
  const total = state.num_clips, done = counts.approved + counts.rejected + counts.skipped;
  counts.open = total - done; // with those that the page was not told of yet
  for (const [id, name] of [["done-good", "approved"], ["done-bad", "rejected"], ["done-skip", "skipped"]])
    $(id).style.width = `${(100 * counts[name]) / total}%`;
  const parts = [`${done} of ${total}`, `${counts.approved} approved`, `${counts.rejected} rejected`];
  if (counts.open && judgedAt.length > 2) {
    const each = (judgedAt[judgedAt.length - 1] - judgedAt[0]) / (judgedAt.length - 1) / 1000;
    const left = each * counts.open;
    parts.push(left < 90 ? `${Math.ceil(left)} s left` : left < 5400 ? `${Math.ceil(left / 60)} min left` : `${(left / 3600).toFixed(1)} h left`);
  }
  $("count").textContent = parts.join(" · ");
  document.title = `${done}/${total} reviewed`;
}

// ---- one clip

async function show(place) {
  if (isEditing && !(await saveCaption())) return;
  at = Math.max(0, Math.min(place, shown.length - 1));
  const clip = current();
  since = performance.now();
  detail = null;
  drawScreen(clip);
  drawVerdict();
  drawStrip();
  if (!$("grid").hidden) drawGrid();
  $("uri").textContent = clip.uri;
  $("times").textContent = clip.is_picture ? "picture" : `${seconds(clip.start_s)} to ${seconds(clip.end_s)} s`;
  try {
    const found = await ask(`api/clip/${clip.id}`);
    if (current() !== clip) return;
    detail = found;
    drawCaption();
    drawScores();
  } catch (error) { tell(error.message); }
}
const seconds = (value) => (Math.round(value * 100) / 100).toString();

function mediaOf(clip, isLarge) {
  if (clip.is_picture) return make("img", { src: clipAddress(clip), alt: "", loading: isLarge ? "eager" : "lazy" });
  const video = make("video", { src: clipAddress(clip) + (isLarge ? "" : "#t=0.1"), muted: isLarge ? isMuted : true, loop: true, playsInline: true });
  video.preload = isLarge ? "auto" : "metadata";
  if (isLarge) {
    video.playbackRate = video.defaultPlaybackRate = speed;
    video.play().catch(() => {});
    video.onerror = () => tell(`the clip cannot be played (${video.error ? video.error.message || video.error.code : "gone"})`);
  }
  return video;
}

function drawScreen(clip) {
  for (const old of $("screen").querySelectorAll("video")) { old.removeAttribute("src"); old.onerror = null; old.load(); }
  $("screen").replaceChildren(mediaOf(clip, true));
  drawSpeed();
}
function drawSpeed() {
  $("speed").textContent = current().is_picture ? "" : `${speed}× · ${isMuted ? "muted" : "sound on"}`;
}

function drawVerdict() {
  const clip = current(), verdict = verdictOf(clip);
  $("screen").className = verdict;
  const reason = clip.vote && clip.vote.reason;
  $("verdict").textContent = verdict === "open" ? "Not judged yet" : verdict[0].toUpperCase() + verdict.slice(1) + (reason ? `: ${reason}` : "");
  $("verdict").className = { approved: "good", rejected: "bad" }[verdict] || "soft";
  $("reasons").hidden = verdict !== "rejected";
  $("reasons").replaceChildren(...state.reasons.map((text, place) => {
    const button = make("button", { onclick: () => judge("rejected", text) }, text, make("kbd", {}, place + 1));
    button.setAttribute("aria-pressed", text === reason);
    return button;
  }));
  $("undo").disabled = !past.length;
  drawProgress();
}

function drawScores() {
  const kept = detail.tiers.length ? `table: ${detail.tiers.join(", ")}` : `table: left out by ${detail.failed.column}`;
  $("tiers").textContent = $("scores").hidden ? "" : kept;
  $("scores").tBodies[0].replaceChildren(...detail.scores.map((score) => {
    const why = make("td", { className: "why soft" }, score.asked);
    if (score.failed.length) why.append(make("span", { className: "tiers" }, `fails ${score.failed.join(", ")}`));
    const row = make("tr", { title: score.stage }, make("td", {}, score.column.replaceAll("_", " ")), make("td", { className: "num", title: score.value }, score.value), why);
    if (score.is_out) row.className = "failed";
    return row;
  }));
  $("facts").replaceChildren(...Object.entries(detail.facts).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function tile(clip, place) {
  const made = make("button", { className: `tile ${verdictOf(clip)}${place === at ? " current" : ""}`, title: clip.uri });
  made.append(mediaOf(clip, false), make("span", { className: "badge" }, clip.is_kept ? "" : "left out"));
  made.onclick = () => { closeGrid(); show(place); };
  return made;
}
function drawStrip() {
  const first = Math.max(0, Math.min(at - 3, shown.length - 8));
  $("strip").replaceChildren(...shown.slice(first, first + 8).map((clip, place) => make("li", {}, tile(clip, first + place))));
}
function drawGrid() {
  const first = Math.floor(at / PAGE) * PAGE;
  $("grid").replaceChildren(...shown.slice(first, first + PAGE).map((clip, place) => tile(clip, first + place)));
  if (shown.length > PAGE) {
    const turn = (by, text) => make("button", { onclick: () => show(first + by), disabled: first + by < 0 || first + by >= shown.length }, text);
    $("grid").append(turn(-PAGE, "← earlier"), turn(PAGE, "later →"));
  }
  const here = $("grid").querySelector(".current");
  if (here) here.scrollIntoView({ block: "nearest" });
}
function toggleGrid() {
  if (!$("grid").hidden) return closeGrid();
  $("grid").hidden = false;
  $("focus").hidden = true;
  drawGrid();
}
function closeGrid() {
  $("grid").hidden = true;
  $("focus").hidden = false;
  $("grid").replaceChildren();
}

// ---- verdicts

async function send(clip, vote, isQuiet = false) {
  const before = clip.vote;
  const said = { clip: clip.id, verdict: vote ? vote.verdict : "open", reason: vote ? vote.reason : null, caption: vote ? vote.caption : null };
  const lookedAt = current() === clip ? (performance.now() - since) / 1000 : 0;
  try {
    clip.vote = (await ask("api/vote", { ...said, seconds: Math.round(lookedAt * 10) / 10 })).vote;
  } catch (error) { tell(error.message); return false; }
  if (!isQuiet) past.push({ clip, vote: before });
  return true;
}
let queueOfWork = Promise.resolve(); // keys in quick succession are answered in their order
const inTurn = (work) => { queueOfWork = queueOfWork.then(work, work).catch((error) => tell(error.message)); return queueOfWork; };

async function judge(verdict, reason = null) {
  if (isEditing && !(await saveCaption())) return;
  const clip = current();
  if (!clip) return;
  const caption = clip.vote ? clip.vote.caption : null;
  const isSame = verdictOf(clip) === verdict && verdict === "rejected"; // a reason for a verdict that was given
  const isOneAct = isSame && past.length > 0 && past[past.length - 1].clip === clip; // undone together
  if (!(await send(clip, { verdict, reason, caption }, isOneAct))) return;
  if (!isSame) judgedAt.push(performance.now());
  if (verdict === "rejected" && !reason && !isSame) { drawVerdict(); drawStrip(); return; } // waits for a reason, or for the next key
  await step(1);
}
async function step(by) {
  if (at + by >= shown.length) tell("the last clip of this list", true);
  await show(at + by);
}
async function nextOpen() {
  const order = [...shown.keys()].slice(at + 1).concat([...shown.keys()].slice(0, at));
  const found = order.find((place) => verdictOf(shown[place]) === "open");
  if (found === undefined) tell("all clips of this list are judged", true); else await show(found);
}
async function undo() {
  const last = past.pop();
  if (!last) return;
  if (!(await send(last.clip, last.vote, true))) { past.push(last); return; }
  if (!shown.includes(last.clip)) { $("filter").value = "all"; $("search").value = ""; refilter(last.clip); return; }
  await show(shown.indexOf(last.clip));
}

// ---- captions

function captionNow() { const vote = current().vote; return (vote && vote.caption) || detail.caption; }

function drawCaption(error = "") {
  const values = captionNow(), isMine = Boolean(current().vote && current().vote.caption);
  $("caption-by").textContent = isMine ? "edited by you" : detail.caption_by ? `by ${detail.caption_by}` : "none yet";
  $("edit").hidden = isEditing;
  const rows = state.fields.filter((field) => isEditing || values[field.name]).map((field) => {
    let inside = make("output", {}, values[field.name]);
    if (isEditing && field.choices.length) {
      inside = make("select", { name: field.name }, ...["", ...field.choices].map((choice) => make("option", { value: choice }, choice)));
      inside.value = values[field.name];
    } else if (isEditing) inside = make("textarea", { name: field.name, value: values[field.name], maxLength: field.max_characters, rows: field.max_characters > 500 ? 4 : 1 });
    return make("label", {}, make("span", {}, field.label), inside);
  });
  if (isEditing) {
    rows.push(make("p", { className: "error", role: "alert" }, error));
    rows.push(make("div", { className: "row" }, make("button", { className: "good" }, "Save", make("kbd", {}, "Ctrl Enter")), make("button", { type: "button", onclick: leaveEditing }, "Leave", make("kbd", {}, "Esc"))));
  }
  $("caption").replaceChildren(...rows);
}
function edit() {
  if (!detail) return;
  if (!$("grid").hidden) closeGrid();
  isEditing = true;
  drawCaption();
  $("caption").querySelector("textarea").focus();
}
function leaveEditing() { isEditing = false; drawCaption(); }

async function saveCaption() {
  const clip = current(), values = {};
  for (const field of state.fields) values[field.name] = $("caption").elements[field.name].value.trim().replace(/\s+/g, " ");
  const before = captionNow();
  if (state.fields.every((field) => values[field.name] === before[field.name])) { leaveEditing(); return true; }
  const vote = clip.vote || { verdict: "open", reason: null };
  const held = clip.vote;
  try {
    const said = { clip: clip.id, verdict: vote.verdict, reason: vote.reason, caption: values, seconds: Math.round((performance.now() - since) / 100) / 10 };
    clip.vote = (await ask("api/vote", said)).vote;
  } catch (error) {
    for (const label of $("caption").querySelectorAll("label")) {
      const name = label.querySelector("[name]").name;
      label.classList.toggle("wrong", error.message.includes(`${name}:`));
    }
    $("caption").querySelector(".error").textContent = error.message;
    return false;
  }
  past.push({ clip, vote: held });
  isEditing = false;
  drawCaption();
  drawVerdict();
  tell("caption saved", true);
  return true;
}

// ---- agreement and writing back

const share = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
async function openAgreement() {
  const found = await ask("api/agreement");
  const said = $("agreement-said");
  if (!found.clips) said.replaceChildren(make("p", {}, "No clip was judged by two reviewers yet. A second reviewer opens the same folder with another name."));
  else {
    const rows = [["equal verdicts", "percent"], ["Cohen's kappa", "kappa"], ["Krippendorff's alpha", "alpha"]].filter(([, name]) => found[name] !== null);
    const table = make("table", {}, make("tbody", {}, ...rows.map(([label, name]) => {
      const ends = found.intervals[name];
      return make("tr", {}, make("td", {}, label), make("td", { className: "num" }, share(found[name])), make("td", { className: "soft" }, ends ? `95 %: ${share(ends[0])} to ${share(ends[1])}` : ""));
    })));
    said.replaceChildren(
      make("p", {}, `${found.clips} clips judged by ${found.reviewers.join(" and ")}; ${found.disputed.length} disputed.`), table,
      make("p", { className: "soft" }, found.disputed.length ? "muybridge review OUT --only disputed --resolve shows those to settle." : ""));
  }
  $("agreement").showModal();
}
async function writeBack() {
  $("apply-now").disabled = true;
  $("apply-said").textContent = "Writing manifest, shards and report…";
  try {
    const found = await ask("api/apply", {});
    $("apply-said").textContent = `${found.approved} approved, ${found.rejected} rejected, ${found.captions} captions, ${found.disputed} disputed. ${found.kept} of ${found.clips} clips are kept.`;
  } catch (error) { $("apply-said").textContent = error.message; }
  $("apply-now").disabled = false;
}

// ---- keys

function change(by) {
  speed = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(speed) + by))];
  const video = $("screen").querySelector("video");
  if (video) video.playbackRate = video.defaultPlaybackRate = speed;
  drawSpeed();
}
function withVideo(work) { const video = $("screen").querySelector("video"); if (video) work(video); }
const frame = (by) => withVideo((video) => { video.pause(); video.currentTime = Math.max(0, video.currentTime + by / (Number(detail && detail.facts.fps) || 24)); });
const ACTS = {
  a: () => inTurn(() => judge("approved")), r: () => inTurn(() => judge("rejected")), s: () => inTurn(() => judge("skipped")),
  u: () => inTurn(undo), j: () => inTurn(() => step(1)), k: () => inTurn(() => step(-1)), n: () => inTurn(nextOpen),
  ArrowRight: () => inTurn(() => step(1)), ArrowLeft: () => inTurn(() => step(-1)),
  e: () => inTurn(edit), g: toggleGrid, v: () => inTurn(openAgreement), "?": () => $("help").showModal(),
  h: () => { $("scores").hidden = !$("scores").hidden; $("facts").hidden = $("scores").hidden; $("hide-scores").firstChild.textContent = $("scores").hidden ? "Show " : "Hide "; if (detail) drawScores(); },
  " ": () => withVideo((video) => (video.paused ? video.play() : video.pause())),
  m: () => { isMuted = !isMuted; withVideo((video) => { video.muted = isMuted; }); drawSpeed(); },
  "-": () => change(-1), "+": () => change(1), "=": () => change(1), ",": () => frame(-1), ".": () => frame(1),
  Escape: () => { if (!$("grid").hidden) closeGrid(); },
};
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const isTyping = event.target.matches("input, textarea, select");
  if (isTyping) {
    if (event.key === "Escape") { if (isEditing) leaveEditing(); event.target.blur(); event.preventDefault(); }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && isEditing) { event.preventDefault(); inTurn(saveCaption); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || !shown.length) return;
  if (event.key === "Escape" && isEditing) return leaveEditing();
  if (event.key === " " && event.target.matches("button")) return;
  const reason = /^[1-9]$/.test(event.key) && state.reasons[Number(event.key) - 1];
  if (reason) { event.preventDefault(); inTurn(() => judge("rejected", reason)); return; }
  const act = ACTS[event.key];
  if (act) { event.preventDefault(); act(); }
});
const BUTTONS = { approve: "a", reject: "r", skip: "s", undo: "u", next: "j", previous: "k", edit: "e", "grid-button": "g", "agreement-button": "v", "help-button": "?", "hide-scores": "h" };
for (const [id, key] of Object.entries(BUTTONS)) $(id).onclick = () => { ACTS[key](); $(id).blur(); };
$("apply-button").onclick = () => { $("apply-said").textContent = ""; $("apply").showModal(); };
$("apply-now").onclick = writeBack;
for (const button of document.querySelectorAll("[data-close]")) button.onclick = () => button.closest("dialog").close();
$("caption").onsubmit = (event) => { event.preventDefault(); inTurn(saveCaption); };
$("filter").onchange = () => { refilter(current()); $("filter").blur(); };
$("search").oninput = () => refilter(current());
$("keys").append(...KEYS.flatMap(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]));

(async () => {
  try {
    state = { ...(await ask("api/state")), clips: [] };
    $("title").textContent = `${state.folder} · ${state.reviewer}${state.is_settling ? " settles" : ""}`;
    const isOpen = (clip) => verdictOf(clip) === "open";
    do await takePart(); while (!state.clips.some(isOpen) && state.clips.length < state.num_clips);
    shown = state.clips.slice();
    await show(Math.max(0, shown.findIndex(isOpen)));
    document.body.dataset.ready = "yes";
    while (state.clips.length < state.num_clips) addShown(await takePart());
  } catch (error) { tell(error.message); }
})();
