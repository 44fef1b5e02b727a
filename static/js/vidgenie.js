// What pages can do better with a script. Every page works without this file.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Seconds that pass by themselves.
function tick() {
  for (const time of all("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time.dataset.since)) / 1000));
    time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
setInterval(tick, 1000);
tick();

// A poll that brings nothing new changes nothing on the page: same tag, no swap.
const seen = new Map();
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const tag = detail.xhr.getResponseHeader("ETag");
  if (!tag) return;
  if (seen.get(detail.target.id) === tag) detail.shouldSwap = false;
  seen.set(detail.target.id, tag);
});

// Pictures that come while one looks on develop, once; those that were there do not.
const arrived = new Set(all("[data-arrives]").map((element) => element.dataset.arrives));
document.addEventListener("htmx:afterSettle", () => {
  for (const element of all("[data-arrives]")) {
    if (!arrived.has(element.dataset.arrives)) element.classList.add("develop");
    arrived.add(element.dataset.arrives);
  }
  const live = document.querySelector("#live");
  const status = document.querySelector("[data-announce]");
  if (live && status && status.textContent !== live.dataset.says) status.textContent = live.dataset.says;
  tick();
});

// Errors and news get the focus.
document.querySelector("[data-focus]")?.focus();

// The box: a counter, Ctrl+Enter, examples, and a draft that outlives a reload.
const form = document.querySelector("form.make");
const prompt = form?.querySelector("#id_prompt");
if (prompt) {
  const count = form.querySelector("[data-count]");
  const limit = Number(prompt.dataset.limit);
  const show = () => {
    const length = [...prompt.value].length;
    count.textContent = length ? `${length} / ${limit}` : "";
    count.classList.toggle("over", length > limit);
  };
  if (!prompt.value && !location.search) prompt.value = sessionStorage.getItem("draft") ?? "";
  prompt.addEventListener("input", () => {
    sessionStorage.setItem("draft", prompt.value);
    show();
  });
  prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(form.querySelector("#make"));
  });
  form.addEventListener("submit", () => sessionStorage.removeItem("draft"));
  for (const example of all("[data-example]")) {
    example.addEventListener("click", (event) => {
      event.preventDefault();
      prompt.value = example.textContent;
      prompt.dispatchEvent(new Event("input"));
      prompt.focus();
    });
  }
  show();
}

// An upload takes the place of a chosen image, and the other way round; it is shown before it is sent.
const upload = document.querySelector("#id_upload");
if (upload) {
  const picks = () => all('.pick [name="image"]');
  const chosen = document.querySelector("[data-chosen]");
  const show = () => {
    URL.revokeObjectURL(chosen.src);
    chosen.hidden = true; // until it turns out to be a picture
    chosen.removeAttribute("src");
    if (upload.files.length) chosen.src = URL.createObjectURL(upload.files[0]);
  };
  chosen.addEventListener("load", () => (chosen.hidden = false));
  upload.addEventListener("change", () => {
    if (upload.files.length) picks().forEach((pick) => (pick.checked = false));
    show();
  });
  picks().forEach((pick) =>
    pick.addEventListener("change", () => {
      upload.value = "";
      show();
    }),
  );
  show(); // a browser that comes back to the page may have kept it
}

// Filters answer at once; their button is for those without a script.
const filters = document.querySelector(".filters");
if (filters) {
  filters.querySelector("button").hidden = true;
  filters.addEventListener("change", () => filters.requestSubmit());
}

// The film on the front page plays by itself, unless somebody asked their system for rest.
if (!matchMedia("(prefers-reduced-motion: reduce)").matches) all("[data-plays]").forEach((film) => film.play().catch(() => {}));

for (const button of all("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
  });
}
