#pragma once
// Numbers, money, dates, times, percentages and telephone numbers of a Hebrew text as vowelled words. Pure.
//
//   ₪1,250 -> אלף מאתיים חמישים שקל    14:30 -> ארבע עשרה ושלושים    052-1234567 -> digits, a comma between the groups
//   12/3/2026 -> שנים עשר במרץ ...      3 חדרים -> שלושה חדרים        3-4 -> שלוש עד ארבע           ב-5 -> בחמש
#include <string>
#include <string_view>

namespace agentlocator::speech {

[[nodiscard]] std::u32string expand_hebrew(std::u32string_view text);

}  // namespace agentlocator::speech
