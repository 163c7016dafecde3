// Sets the theme before the first paint. A classic script on purpose: modules run too late and would flash.
(() => {
  let choice = "system";
  try {
    choice = localStorage.getItem("hopscope.theme") ?? "system";
  } catch {
    // storage may be forbidden: the system's theme then
  }
  const dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
