#pragma once
// Values by name, as a business sets them (store/business_settings). For those who use them and have no database.
#include <functional>
#include <map>
#include <string>

namespace agentlocator {

using NamedValues = std::map<std::string, std::string, std::less<>>;

}  // namespace agentlocator
