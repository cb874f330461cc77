// The run's pages: a form is sent once, and a new tag's fields are emptied for the next one.

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.matches("[data-once], #run-head form")) return;
  // After the event, so that the button's own value is still sent.
  setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  const form = ctx.sourceElement?.closest?.("#tag-add");
  if (!form || ctx.response.status >= 400) return;
  // The next tag may be half typed already.
  const { key, value } = form.elements;
  if (key.value !== ctx.request.body.get("key") || value.value !== ctx.request.body.get("value")) return;
  form.reset();
  if (form.contains(document.activeElement)) key.focus();
});
