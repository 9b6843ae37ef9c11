// Attributes are few: they are found by their names one after the other.
#include "meaning.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>
#include <array>

namespace h5score::storage {
namespace {

using Attributes = std::vector<h5::Attribute>;

const h5::Attribute* find(const Attributes& attributes, const std::string& name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const auto& a) { return a.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

bool only_describes(const h5::Attribute& attribute) {
  return attribute.name == "long_name" || attribute.name == "standard_name";
}

std::string text_of(const h5::Attribute* attribute) {
  return attribute == nullptr ? "none" : value_text(*attribute);
}

// Facts come from a process that a damaged file may have taken over.
void check_numbers(const h5::Attribute& attribute) {
  const auto* numbers = std::get_if<h5::Numbers>(&attribute.value);
  if (numbers == nullptr) return;
  const auto size = numbers->type.size;
  const bool good = numbers->type.numeric() && (size == 1 || size == 2 || size == 4 || size == 8) &&
                    !numbers->values.empty() && numbers->values.size() % size == 0;
  if (!good) throw base::Error(base::ExitCode::internal, "the name node describes an attribute that makes no sense");
}

}  // namespace

std::string meaning_difference(const Attributes& own, const Attributes& first, const std::string& first_path) {
  const auto told = [&](const std::string& name) {
    return name + ": " + text_of(find(own, name)) + ", in " + first_path + " " + text_of(find(first, name));
  };
  for (const auto& attribute : own) {
    const auto* there = find(first, attribute.name);
    if (!only_describes(attribute) && (there == nullptr || !same_value(attribute, *there))) return told(attribute.name);
  }
  for (const auto& attribute : first)
    if (!only_describes(attribute) && find(own, attribute.name) == nullptr) return told(attribute.name);
  return {};
}

Attributes passed_meaning(const h5::DatasetFacts& facts, const base::ElementType& type) {
  // The type says what _Unsigned says; nothing is decoded by the ranges.
  constexpr std::array left{"_Unsigned", "valid_min", "valid_max", "valid_range"};
  Attributes attributes;
  if (facts.record_bytes != 0) return attributes;  // then they are of all fields together
  for (const auto& attribute : facts.meaning) {
    check_numbers(attribute);
    if (std::find(left.begin(), left.end(), attribute.name) != left.end()) continue;
    if (type.numeric() || std::holds_alternative<std::string>(attribute.value)) attributes.push_back(attribute);
  }
  return attributes;
}

void keep_same(Attributes& attributes, const Attributes& others) {
  std::erase_if(attributes, [&](const h5::Attribute& attribute) {
    const auto* there = find(others, attribute.name);
    return there == nullptr || !same_value(attribute, *there);
  });
}

}  // namespace h5score::storage
