// Moving the slider shows the chosen version without reloading the page. Without JavaScript the form and the links work.
(() => {
  const life = document.getElementById("life");
  const slider = document.getElementById("version");
  let latest = 0;

  document.getElementById("show").hidden = true;

  async function show(version) {
    const request = ++latest;
    const url = new URL(window.location.href);
    url.searchParams.set("version", version);
    const response = await fetch(url, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const received = page.getElementById("life");
    if (request !== latest) return; // A newer request has started.
    if (!received) return window.location.assign(url); // Probably the login page.
    life.replaceChildren(...received.childNodes);
    window.history.replaceState(null, "", url);
  }

  slider.addEventListener("input", () => show(slider.value));
  if (slider.value !== slider.defaultValue) show(slider.value); // The slider was moved before this script was loaded.
  life.addEventListener("click", (click) => {
    const link = click.target.closest("a[data-version]");
    if (!link || click.ctrlKey || click.metaKey || click.shiftKey) return;
    click.preventDefault();
    slider.value = link.dataset.version;
    show(link.dataset.version);
  });
})();
