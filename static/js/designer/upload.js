// The palette's upload: files become a step on the canvas. What is wrong with them comes back beside its field.

export function listenToUpload(palette, put, words) {
  const form = palette.querySelector("form");
  const button = form.querySelector("button");
  const fault = form.querySelector(".fault");
  const own = palette.querySelector("[data-own]");

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const { status, answer } = await send();
    button.disabled = false;
    fault.hidden = Boolean(answer?.fields);
    if (!answer?.fields) {
      fault.textContent = answer?.message || (status ? words.notUploaded : words.offline);
      return;
    }
    form.querySelector("[data-fields]").innerHTML = answer.fields;
    if (status !== 200) {
      form.querySelector("[aria-invalid]")?.focus();
      return;
    }
    offer(answer.item);
    put(answer);
  });

  async function send() {
    try {
      const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
      return { status: response.status, answer: await response.json().catch(() => null) };
    } catch {
      return { status: 0, answer: null };
    }
  }

  // Once, however often the same files are uploaded.
  function offer(item) {
    const list = own.querySelector("ul");
    list.insertAdjacentHTML("afterbegin", item);
    const { component } = list.querySelector("[data-component]").dataset;
    const [, ...same] = [...list.querySelectorAll("[data-component]")].filter((each) => each.dataset.component === component);
    for (const each of same) each.closest("li").remove();
    own.hidden = false;
  }
}
