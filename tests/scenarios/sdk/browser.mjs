// Plays a browser whose person logs in: opens the URL that it is given, follows redirects, keeps cookies, and submits each page's
// form, with NAME as who it is. Prints the last page's text. `refuse` in place of NAME says no where a page lets it.

const [, , start, name] = process.argv;
const cookies = new Map();

const ask = async (url, form) => {
  for (let hops = 0; hops < 20; hops += 1) {
    const headers = { cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join("; ") };
    const answer = await fetch(url, {
      method: form ? "POST" : "GET",
      headers,
      body: form && new URLSearchParams(form),
      redirect: "manual",
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, key, value] = cookie.match(/^([^=]+)=([^;]*)/);
      if (value) cookies.set(key, value);
      else cookies.delete(key);
    }
    const next = answer.headers.get("location");
    if (!next) return { url, text: await answer.text() };
    url = new URL(next, url).href;
    form = undefined;
  }
  throw new Error("too many redirects");
};

let page = await ask(start);
for (let pages = 0; pages < 10; pages += 1) {
  const form = page.text.match(/<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/);
  if (!form) break;
  const fields = {};
  for (const [input] of form[2].matchAll(/<input[^>]*>/g)) {
    const field = input.match(/name="([^"]*)"/)?.[1];
    if (field) fields[field] = input.match(/value="([^"]*)"/)?.[1] ?? "";
  }
  if ("login" in fields) Object.assign(fields, { login: name, password: "any" });
  if (name === "refuse" && "confirm" in fields) {
    delete fields.confirm;
    fields.abort = "yes";
  }
  page = await ask(new URL(form[1].replaceAll("&amp;", "&"), page.url).href, fields);
  if (name === "refuse" && fields.abort) break;
}
console.log(page.text.replace(/<style>[\s\S]*?<\/style>/g, "").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim());
