// Runs in a browser, in a page beside those of the API documentation, and opens
// them one by one in a frame: finds each symbol by the search, and looks at
// width and contrast. What it found stands in the page afterwards.

const { pages, symbols, widths } = JSON.parse(
  document.getElementById("given").textContent,
);

/** Opens a page in a frame. */
async function open(page, width) {
  const frame = document.createElement("iframe");
  frame.width = width;
  frame.height = 900;
  const loaded = new Promise((resolve) => (frame.onload = resolve));
  frame.src = page;
  document.body.append(frame);
  await loaded;
  return frame;
}

/** What of some symbols the search of a page does not find in their places. */
async function lost(page, symbols) {
  const frame = await open(page, 1200);
  const results = frame.contentDocument.getElementById("searchResults");
  const missing = symbols.filter(({ name, url }) => {
    frame.contentWindow.doSearch(name);
    const links = [...results.querySelectorAll("a")];
    const wanted = new URL(url, document.baseURI).href;
    return !links.some(({ href }) => href === wanted);
  });
  frame.remove();
  return missing.map(({ name }) => `${page}: the search does not find ${name}`);
}

function channels(color) {
  const [r, g, b, alpha = 1] = color.match(/[\d.]+/g).map(Number);
  return { rgb: [r, g, b], alpha };
}

function over({ rgb, alpha }, below) {
  return below.map((value, i) => rgb[i] * alpha + value * (1 - alpha));
}

/** The relative luminance of WCAG. */
function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** The contrast of a text to what is behind it. */
function contrast(element, view) {
  const around = [];
  for (let e = element; e; e = e.parentElement) around.unshift(e);
  let background = [255, 255, 255];
  let opacity = 1;
  for (const e of around) {
    const style = view.getComputedStyle(e);
    background = over(channels(style.backgroundColor), background);
    opacity *= Number(style.opacity);
  }
  const text = channels(view.getComputedStyle(element).color);
  text.alpha *= opacity;
  const both = [luminance(over(text, background)), luminance(background)];
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
}

/** The texts of a page that are hard to read. */
function pale({ document, defaultView }) {
  const found = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim();
    const element = texts.currentNode.parentElement;
    if (text === "" || element.getClientRects().length === 0) continue;
    const ratio = contrast(element, defaultView);
    if (ratio < 4.5) {
      found.add(`"${text.slice(0, 30)}" has a contrast of ${ratio.toFixed(2)}`);
    }
  }
  return found;
}

async function look(page) {
  const found = [];
  for (const width of widths) {
    const frame = await open(page, width);
    const root = frame.contentDocument.documentElement;
    const style = frame.contentDocument.createElement("style");
    style.textContent = "* { transition: none !important }";
    root.append(style);
    if (root.scrollWidth > width) {
      found.push(`${page}: is ${root.scrollWidth} wide, in ${width}`);
    }
    for (const isDark of width === widths[0] ? [false, true] : []) {
      root.classList.toggle("dark", isDark);
      const view = { document: frame.contentDocument };
      view.defaultView = frame.contentWindow;
      const where = `${page}${isDark ? " (dark)" : ""}`;
      for (const text of pale(view)) found.push(`${where}: ${text}`);
    }
    frame.remove();
  }
  return found;
}

const found = [];
try {
  for (const page of pages) found.push(...await look(page));
  // The ways of links differ with the depth of the page that has the search.
  for (const depth of [0, 1, 2]) {
    const some = symbols.filter((_, i) => i % 3 === depth);
    found.push(...await lost(pages[depth], some));
  }
} catch (error) {
  found.push(String(error.stack));
}
const out = document.createElement("pre");
out.id = "found";
out.textContent = JSON.stringify({ found });
document.body.replaceChildren(out);
