// Lists that are loaded page by page.
import { byId, put } from "./dom.js";
import { attempt } from "./problems.js";

/** `page(after)` returns elements and where the next page starts; null at the end. */
export async function withMore({ list, more, page, none = [] }) {
  const [first, next] = await page(null);
  put(list, ...(first.length ? first : none));
  let after = next;
  more.hidden = after === null;
  more.onclick = async () => {
    more.disabled = true;
    await attempt(byId("problem"), async () => {
      const [further, later] = await page(after);
      list.append(...further);
      after = later;
      more.hidden = after === null;
    });
    more.disabled = false;
  };
}
