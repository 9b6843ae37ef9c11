// JSON texts, read with limits, and its values with their types checked.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace h5score::format {

using Json = nlohmann::json;

/// Parses a whole text. Throws Error(data) where it is no JSON, larger than 64 MiB or nested deeper than 200 levels.
/// Python's NaN and Infinity are no JSON.
Json parse_json(std::string_view text);

/// The member `key` of an object; null where it is absent or `object` is none.
const Json& member(const Json& object, const char* key);
/// Members of a given type; `otherwise` where they are absent or null. Throw Error(data) naming the key where they are
/// of another type.
std::string text(const Json& object, const char* key, const std::string& otherwise);
double number(const Json& object, const char* key, double otherwise);
bool flag(const Json& object, const char* key, bool otherwise);
/// A whole number from 0 on; negative ones are errors.
std::optional<std::uint64_t> count(const Json& object, const char* key);
/// Whole numbers of a list, or the one number that stands for a list of one.
std::vector<std::int64_t> integers(const Json& list, const char* key);
/// Numbers of a list of any nesting, in order.
std::vector<double> numbers(const Json& list, const char* key);

}  // namespace h5score::format
