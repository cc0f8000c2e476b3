import "./half_module_fixture.ts";
import { sendable } from "../../threading/mod.ts";

export const whole = sendable(import.meta, function whole() {});
