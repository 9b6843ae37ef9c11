// Bounded parsing and typed access.
#include "json.hpp"

#include "h5score/base/error.hpp"

#include "printable.hpp"

namespace h5score::format {
namespace {

using base::Error;
using base::ExitCode;

constexpr std::size_t most_bytes = std::size_t{64} << 20;
constexpr int most_levels = 200;

[[noreturn]] void wrong_type(const char* key, const char* expected) {
  throw Error(ExitCode::data, std::string("'") + key + "' is not " + expected);
}

}  // namespace

Json parse_json(std::string_view text) {
  if (text.size() > most_bytes)
    throw Error(ExitCode::data, "the JSON text is too long", std::to_string(text.size()) + " bytes");
  try {
    return Json::parse(text, [](int depth, Json::parse_event_t, Json&) {
      if (depth > most_levels)
        throw Error(ExitCode::data, "the JSON text is nested too deeply", "more than 200 levels");
      return true;
    });
  } catch (const Json::exception& e) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ...": what it is without its number.
    const std::string_view said = e.what();
    const auto end = said.find("] ");
    throw Error(ExitCode::data, "the JSON text is damaged",
                shown(said.substr(end == std::string_view::npos ? 0 : end + 2)));
  }
}

const Json& member(const Json& object, const char* key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

std::string text(const Json& object, const char* key, const std::string& otherwise) {
  const Json& value = member(object, key);
  if (value.is_null()) return otherwise;
  if (!value.is_string()) wrong_type(key, "a text");
  return value.get<std::string>();
}

double number(const Json& object, const char* key, double otherwise) {
  const Json& value = member(object, key);
  if (value.is_null()) return otherwise;
  if (!value.is_number()) wrong_type(key, "a number");
  return value.get<double>();
}

bool flag(const Json& object, const char* key, bool otherwise) {
  const Json& value = member(object, key);
  if (value.is_null()) return otherwise;
  if (!value.is_boolean()) wrong_type(key, "true or false");
  return value.get<bool>();
}

std::optional<std::uint64_t> count(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (value.is_null()) return std::nullopt;
  if (!value.is_number_unsigned()) wrong_type(key, "a whole number");
  return value.get<std::uint64_t>();
}

std::vector<std::int64_t> integers(const Json& list, const char* key) {
  std::vector<std::int64_t> result;
  const auto add = [&](const Json& value) {
    if (!value.is_number_integer()) wrong_type(key, "a list of whole numbers");
    result.push_back(value.get<std::int64_t>());
  };
  if (!list.is_array()) {
    add(list);
  } else {
    for (const Json& value : list) add(value);
  }
  return result;
}

std::vector<double> numbers(const Json& list, const char* key) {
  std::vector<double> result;
  if (list.is_array()) {
    for (const Json& value : list) {
      const auto inner = numbers(value, key);
      result.insert(result.end(), inner.begin(), inner.end());
    }
  } else {
    if (!list.is_number()) wrong_type(key, "a list of numbers");
    result.push_back(list.get<double>());
  }
  return result;
}

}  // namespace h5score::format
