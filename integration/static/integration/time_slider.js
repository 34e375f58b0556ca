// Moving the slider shows that version at once. Without this script its form and the links do the same.
(() => {
  const life = document.getElementById("life");
  const slider = document.getElementById("version");
  let wanted = 0;

  document.getElementById("show").hidden = true;

  async function show(version) {
    const mine = ++wanted;
    const url = new URL(window.location.href);
    url.searchParams.set("version", version);
    const answer = await fetch(url, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const then = page.getElementById("life");
    if (mine !== wanted) return; // The slider has moved on.
    if (!then) return window.location.assign(url); // Logged out, perhaps.
    life.replaceChildren(...then.childNodes);
    window.history.replaceState(null, "", url);
  }

  slider.addEventListener("input", () => show(slider.value));
  if (slider.value !== slider.defaultValue) show(slider.value); // It was moved before this script had arrived.
  life.addEventListener("click", (click) => {
    const link = click.target.closest("a[data-version]");
    if (!link || click.ctrlKey || click.metaKey || click.shiftKey) return;
    click.preventDefault();
    slider.value = link.dataset.version;
    show(link.dataset.version);
  });
})();
