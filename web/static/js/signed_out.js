// Where a sign-out ends, and a sign-in that has failed without a page to go back to.
import { byId, put } from "./dom.js";
import { failure } from "./signin.js";

const words = failure();
if (words) put(byId("said"), words);
