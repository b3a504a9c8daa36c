// Carries the code to the checker's page behind a "#", which no server and no access log sees.
import { byId } from "./dom.js";

const code = location.pathname.split("/").pop();
byId("carry").href = `/verify#${encodeURIComponent(decodeURIComponent(code))}`;
