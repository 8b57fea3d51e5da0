"use strict";
{
  const content = JSON.parse(document.getElementById("content").textContent);
  const gallery = document.getElementById("gallery");
  const controls = document.getElementById("controls");
  const find = (id) => document.getElementById(id);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const colors = bytes(content.colors);
  const cards = [...gallery.children].map((element, number) => ({
    ...content.cards[number],
    element,
    number,
    canvas: element.querySelector("canvas"),
    audio: element.querySelector("audio"),
  }));

  // --- maps: drawn here bilinear as in vis/overlay.py, so that no blended frame is stored

  const neighbours = (cells, pixels) =>
    Array.from({ length: pixels }, (_, pixel) => {
      const place = Math.max(0, ((pixel + 0.5) * cells) / pixels - 0.5);
      const first = Math.min(Math.floor(place), cells - 1);
      return [first, Math.min(first + 1, cells - 1), place - first];
    });

  // Color and opacity of each level. Where the map is 0, the frame is unchanged.
  const pixelOfLevel = new Uint32Array(
    Uint8Array.from({ length: 4 * 256 }, (_, i) => (i % 4 < 3 ? colors[3 * (i >> 2) + (i % 4)] : i >> 2)).buffer,
  );

  function paint(card, cluster) {
    if (card.painted === cluster) return;
    card.painted = cluster;
    const { width, height } = card.canvas;
    const levels = bytes(card.maps[cluster]);
    const context = card.canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const across = neighbours(card.columns, width);
    let pixel = 0;
    for (const [top, bottom, down] of neighbours(card.rows, height)) {
      const above = top * card.columns;
      const below = bottom * card.columns;
      for (const [left, right, part] of across) {
        const high = levels[above + left] * (1 - part) + levels[above + right] * part;
        const low = levels[below + left] * (1 - part) + levels[below + right] * part;
        pixels[pixel++] = pixelOfLevel[Math.round(high * (1 - down) + low * down)];
      }
    }
    context.putImageData(image, 0, 0);
  }

  const cluster = () => Number(controls.elements.cluster.value);

  function applyLook() {
    cards.filter((card) => card.isNear).forEach((card) => paint(card, cluster()));
    document.body.style.setProperty("--strength", find("strength").value / 100);
    find("strength-text").textContent = `${find("strength").value} %`;
    gallery.classList.toggle("without-boxes", find("boxes") !== null && !find("boxes").checked);
  }

  // --- filter and sort

  const valueOf = (id) => find(id)?.value ?? "";

  function isWanted(card) {
    const [lowest, highest] = [valueOf("lowest"), valueOf("highest")];
    const scored = card.score !== null;
    return (
      (valueOf("video") === "" || card.video === Number(valueOf("video"))) &&
      (valueOf("label") === "" || card.label === Number(valueOf("label"))) &&
      (lowest === "" || Number(lowest) <= 0 || (scored && card.score >= Number(lowest))) &&
      (highest === "" || Number(highest) >= 1 || (scored && card.score <= Number(highest)))
    );
  }

  function compare(first, second, name, sign) {
    const [a, b] = [first[name], second[name]];
    if (a === b) return first.number - second.number;
    if (a === null || b === null) return a === null ? 1 : -1; // cards without a score come last
    return sign * (a - b);
  }

  let sorted = "";
  function applyFind() {
    if (valueOf("sort") !== sorted) {
      sorted = valueOf("sort");
      const [name, sign] = sorted === "" ? ["number", 1] : sorted.split(",");
      const inOrder = [...cards].sort((first, second) => compare(first, second, name, Number(sign)));
      gallery.append(...inOrder.map((card) => card.element));
    }
    let shown = 0;
    for (const card of cards) {
      card.element.hidden = !isWanted(card);
      if (card.element.hidden) card.audio?.pause();
      else shown += 1;
    }
    find("shown").textContent = `${shown} of ${cards.length} frames`;
    find("nothing").hidden = shown > 0;
  }

  // --- only cards near the window are painted and loaded: browsers limit the number of players of a page

  function loadAudio(audio, clip) {
    if (!audio.hasAttribute("src")) audio.src = `data:${content.mediaType};base64,${content.clips[clip]}`;
  }

  function unloadAudio(audio) {
    if (!audio.paused || !audio.hasAttribute("src")) return;
    audio.removeAttribute("src");
    audio.load();
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const card = cards[Number(target.dataset.number)];
        card.isNear = isIntersecting;
        if (isIntersecting) paint(card, cluster());
        if (card.audio && isIntersecting) loadAudio(card.audio, card.clip);
        else if (card.audio) unloadAudio(card.audio);
      }
    },
    { rootMargin: "400px" },
  );
  cards.forEach((card) => near.observe(card.element));
  gallery.addEventListener(
    "play",
    (event) => {
      for (const { audio } of cards) {
        if (audio && audio !== event.target) audio.pause();
      }
    },
    true,
  );

  function apply() {
    applyLook();
    applyFind();
  }
  controls.addEventListener("input", apply);
  controls.addEventListener("reset", () => setTimeout(apply)); // after the values are back
  controls.addEventListener("submit", (event) => event.preventDefault());
  apply();
}
