// Refusals as errors a person understands.

import { has, language, megabytes, t } from "./text.js";

export class ApiError extends Error {
  constructor(status, { code, message = "", remedy = "" }) {
    super(message);
    Object.assign(this, { status, code, remedy });
  }
}

/** Whether the same may be asked another time: the fault was not the recording's. */
export const mayPass = ({ status, code }) =>
  code === "unreachable" || status === 408 || status === 429 || status >= 500;

/** What an error says, with its remedy; `name` is the recording's, `limits` the server's. */
export function explain(error, { name = "", limits = {} } = {}) {
  const spoken = `${error.message ?? ""} ${error.remedy ?? ""}`.trim();
  if (spoken && language === "en") return spoken; // the server's words are the more exact
  const values = {
    name: name || t("recording"),
    size: megabytes(limits.upload_bytes ?? 0),
    minutes: Math.round((limits.audio_s ?? 0) / 60),
  };
  return has(`fault.${error.code}`)
    ? t(`fault.${error.code}`, values)
    : spoken || t("fault.internal");
}
