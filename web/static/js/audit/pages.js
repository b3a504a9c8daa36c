// Lists that come a page at a time.
import { put } from "../dom.js";

/** `page(after)` gives elements and what to ask for next; null at the end. */
export async function withMore({ list, more, page, none = [] }) {
  const [first, next] = await page(null);
  put(list, ...(first.length ? first : none));
  let after = next;
  more.hidden = after === null;
  more.onclick = async () => {
    more.disabled = true;
    const [further, later] = await page(after).finally(() => (more.disabled = false));
    list.append(...further);
    after = later;
    more.hidden = after === null;
  };
}
