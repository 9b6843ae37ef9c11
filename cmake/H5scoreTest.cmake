# Test helpers: h5score_test (one process), mpi_test (several ranks), h5score_pytest (through the command line).
find_package(GTest REQUIRED)
include(GoogleTest)
# The distribution's python first: that is where its h5py and scikit-learn are.
find_program(H5SCORE_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(H5SCORE_PYTHON NAMES python3 REQUIRED)

set(H5SCORE_TEST_ENV "H5SCORE_REALDATA=${H5SCORE_REALDATA}" "H5SCORE_TESTBED=${H5SCORE_TESTBED}"
  "H5SCORE_SOURCE_DIR=${PROJECT_SOURCE_DIR}" "H5SCORE_BUILD_DIR=${PROJECT_BINARY_DIR}"
  "H5SCORE_PYTHON=${H5SCORE_PYTHON}" "H5SCORE_BIN=${PROJECT_BINARY_DIR}/h5score" "H5SCORE_MPIEXEC=${MPIEXEC_EXECUTABLE}"
  "H5SCORE_SANITIZE=${H5SCORE_SANITIZE}" "OMPI_ALLOW_RUN_AS_ROOT=1" "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
  "OMPI_MCA_rmaps_base_oversubscribe=1" "OMPI_MCA_mpi_yield_when_idle=1" "OMPI_MCA_btl_base_warn_component_unused=0"
  "OMPI_MCA_hwloc_base_binding_policy=none" "OMPI_MCA_pml=ob1"
  "ASAN_OPTIONS=detect_leaks=0" "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan.supp" "PYTHONDONTWRITEBYTECODE=1")

# h5score_test(NAME SOURCES a.cpp... LIBRARIES h5score::x...): a GoogleTest program; each TEST is a ctest test.
function(h5score_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE h5score_settings ${arg_LIBRARIES} GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST TEST_LIST tests_of_${name}
    PROPERTIES TIMEOUT ${arg_TIMEOUT})
  # gtest_discover_tests() cannot pass a property that is a list: ctest reads this after the discovered tests.
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${name}_environment.cmake)
  file(WRITE ${file} "if(tests_of_${name})
  set_tests_properties(\${tests_of_${name}} PROPERTIES ENVIRONMENT [==[${H5SCORE_TEST_ENV}]==])\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${file})
endfunction()

# mpi_test(NAME NP 1 2 3 4 SOURCES a.cpp... LIBRARIES ...): one ctest test for each number of ranks. The program has a
# main of its own that reports any rank's failure (tests/mpi_main.cpp).
function(mpi_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "NP;SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/tests/mpi_main.cpp)
  target_link_libraries(${name} PRIVATE h5score_settings ${arg_LIBRARIES} MPI::MPI_C GTest::gmock GTest::gtest)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  foreach(np IN LISTS arg_NP)
    add_test(NAME ${name}.np${np}
      COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${np} ${MPIEXEC_PREFLAGS} $<TARGET_FILE:${name}>)
    set_tests_properties(${name}.np${np} PROPERTIES TIMEOUT ${arg_TIMEOUT} PROCESSORS 2 LABELS mpi
      ENVIRONMENT "${H5SCORE_TEST_ENV}")
  endforeach()
endfunction()

# h5score_pytest(NAME FILE): a pytest file that drives the program from outside (h5py, scikit-learn, libsvm as oracles).
function(h5score_pytest name file)
  cmake_parse_arguments(arg "" "TIMEOUT" "LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND ${H5SCORE_PYTHON} -m pytest -q -rs -p no:cacheprovider
    ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} PROCESSORS 2 LABELS "python;${arg_LABELS}"
    SKIP_RETURN_CODE 5  # what pytest says where a whole file is skipped
    ENVIRONMENT "${H5SCORE_TEST_ENV};PYTHONPATH=${PROJECT_SOURCE_DIR}/tests:${PROJECT_SOURCE_DIR}/scripts")
endfunction()
