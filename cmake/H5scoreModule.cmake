# h5score_module(NAME SOURCES a.cpp... USES base h5... LIBRARIES h5score_hdf5...)
# One static library per module: folder = namespace = link target. USES are modules below, whose headers its own headers
# may include; LIBRARIES are third-party and stay private, so that they never leak into another module's includes.
function(h5score_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_library(h5score_${name} STATIC ${arg_SOURCES})
  add_library(h5score::${name} ALIAS h5score_${name})
  set_target_properties(h5score_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(h5score_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(h5score_${name} PUBLIC cxx_std_20)
  target_link_libraries(h5score_${name} PRIVATE $<BUILD_INTERFACE:h5score_settings>)
  foreach(module IN LISTS arg_USES)
    target_link_libraries(h5score_${name} PUBLIC h5score_${module})
  endforeach()
  target_link_libraries(h5score_${name} PRIVATE ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY H5SCORE_MODULES h5score_${name})
endfunction()
