// Carries the code to the checker's page behind a "#", which no server and no access log sees.
import { byId } from "./dom.js";
import { unescaped } from "./numbers.js";

const code = location.pathname.split("/").pop();
byId("carry").href = `/verify#${encodeURIComponent(unescaped(code))}`;
