// Lists that are loaded page by page.
import { byId, put } from "./dom.js";
import { attempt } from "./problems.js";

/**
 * `page(after)` returns elements and where the next page starts; null at the end. A page that comes when
 * `isCurrent()` is no longer true is not shown.
 */
export async function withMore({ list, more, page, none = [], isCurrent = () => true }) {
  const [first, next] = await page(null);
  if (!isCurrent()) return;
  put(list, ...(first.length ? first : none));
  let after = next;
  more.hidden = after === null;
  more.onclick = async () => {
    more.disabled = true;
    await attempt(byId("problem"), async () => {
      const [further, later] = await page(after);
      if (!isCurrent()) return;
      list.append(...further);
      after = later;
      more.hidden = after === null;
    });
    more.disabled = false;
  };
}
