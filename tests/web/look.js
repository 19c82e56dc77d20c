// Look at pages with a real browser. Standard input has a list of
//   {url, width, height, dark, zoom, picture}
// and standard output gets, for each, what went wrong: {errors, axe, wide}.
const fs = require("fs");
const puppeteer = require("puppeteer-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

async function look(browser, page) {
  const tab = await browser.newPage();
  const errors = [];
  tab.on("console", (m) => ["error", "warning"].includes(m.type()) && errors.push(m.text()));
  tab.on("pageerror", (e) => errors.push(String(e)));
  tab.on("requestfailed", (r) => errors.push(r.url()));
  // Zooming in leaves a page less room, of larger pixels.
  const zoom = page.zoom || 1;
  await tab.setViewport({
    width: Math.round(page.width / zoom),
    height: Math.round(page.height / zoom),
    deviceScaleFactor: zoom,
  });
  await tab.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: page.dark ? "dark" : "light" },
  ]);
  await tab.goto(page.url, { waitUntil: "load" });
  if (page.picture) await tab.screenshot({ path: page.picture });
  const found = await tab.evaluate(
    async (source) => {
      const wide = document.documentElement.scrollWidth > window.innerWidth;
      (0, eval)(source);
      const { violations, passes } = await axe.run();
      return {
        axe: violations.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html).join(" ")),
        passes: passes.length,
        wide,
      };
    },
    axe,
  );
  await tab.close();
  return { errors, ...found };
}

(async () => {
  const pages = JSON.parse(fs.readFileSync(0, "utf8"));
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
  });
  const found = [];
  for (const page of pages) found.push(await look(browser, page));
  await browser.close();
  console.log(JSON.stringify(found));
})().catch((e) => {
  console.error(e);
  process.exit(1);
});
