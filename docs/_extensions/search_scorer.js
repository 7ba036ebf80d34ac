// Sphinx scores a page alike for one mention or many: pages whose own title holds the words come
// first, then those that explain, then figures, and lists of everything last.
const LISTS = /^(changelog|papers|developing|auto_examples\/index)$/;
const FIGURES =
  /^(ablation|anomaly_quality|choosing|contrast_quality|findings|label_noise|longtail|multiview_quality|postprocessing_quality|quality|regression|retrieval_quality|scaling|series_quality|speed|text_quality|topic_quality|when|width|word2vec|sizes|streams|tried)$/;
var Scorer = {
  score: ([page, title, , , score]) => {
    const words = new URLSearchParams(window.location.search).get("q") || "";
    const heading = title.toLowerCase();
    if (words.toLowerCase().split(/\s+/).every((word) => heading.includes(word))) score += 4;
    if (LISTS.test(page)) return score - 12;
    if (FIGURES.test(page)) return score - 4;
    return /^(generated|auto_examples)\//.test(page) ? score : score + 2;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
