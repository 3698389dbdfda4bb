// The parts of a prompt, in the order in which they are shown, and their names. Colours are in page.css.

const NAMES = {
  SECTION_INSTRUCTIONS: "instructions",
  SECTION_POLICY: "policy",
  SECTION_TOOLS: "tools",
  SECTION_EXAMPLES: "examples",
  SECTION_CONVERSATION: "conversation",
  SECTION_EVIDENCE: "evidence",
  SECTION_FENCES: "fences",
  SECTION_QUESTION: "question",
  SECTION_FORMAT: "chat format",
  SECTION_RESERVED_OUTPUT: "reserved for the answer",
};
const ORDER = Object.keys(NAMES);

/** What a section is called. */
export const sectionName = (section) => NAMES[section] ?? "other";

/** The class that gives its colour. */
export const sectionColour = (section) => `c-${(section ?? "").replace("SECTION_", "").toLowerCase().replaceAll("_", "-")}`;

/** Sections as `{section, tokenCount}` in the order of the prompt. */
export const inOrder = (sections) =>
  [...sections].sort((one, other) => ORDER.indexOf(one.section) - ORDER.indexOf(other.section));
