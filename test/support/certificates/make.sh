#!/bin/sh
# Makes the certificates of the tests anew (needs openssl 3): `sh test/support/certificates/make.sh`. They are good for a hundred
# years, and for no names but `upstream.test`, `proxy.test` and this machine. The keys are public: nobody must ever trust them.
set -eu
cd "$(dirname "$0")"
rm -f ./*.pem
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

# Arguments: name, key, subject, first day, last day, lines of extensions, and who signs (`-selfsign`, or certificate and key).
certificate() {
  name=$1 key=$2 subject=$3 first=$4 last=$5 extensions=$6
  shift 6
  openssl req -new -key "$key" -subj "/CN=$subject" -out "$work/request.pem"
  printf "$extensions" > "$work/extensions"
  rm -f "$work/serial" "$work/index"
  : > "$work/index"
  openssl ca -batch -notext -create_serial -md sha256 -config /dev/stdin -extfile "$work/extensions" "$@" \
    -in "$work/request.pem" -out "$name.pem" -startdate "$first" -enddate "$last" 2> "$work/log" <<SETTINGS || { cat "$work/log"; exit 1; }
[ca]
default_ca = tests
[tests]
database = $work/index
new_certs_dir = $work
policy = any
serial = $work/serial
unique_subject = no
[any]
commonName = supplied
SETTINGS
}

authority() { # name, subject
  key "$work/$1-key.pem"
  certificate "$1" "$work/$1-key.pem" "$2" $first_day $last_day \
    'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n' -selfsign -keyfile "$work/$1-key.pem"
}

signed() { # authority, name, key, last day, lines of extensions
  certificate "$2" "$3" "$2" $first_day "$4" "$5" -cert "$1.pem" -keyfile "$work/$1-key.pem"
}

first_day=20200101000000Z
last_day=21191231000000Z
names='DNS:localhost,DNS:upstream.test,DNS:proxy.test,IP:127.0.0.1'
authority ca 'Parlance tests'
authority other-ca 'Somebody else'
key server-key.pem
signed ca server server-key.pem $last_day "extendedKeyUsage=serverAuth\nsubjectAltName=$names\n"
signed ca expired server-key.pem 20200201000000Z "extendedKeyUsage=serverAuth\nsubjectAltName=$names\n"
signed ca elsewhere server-key.pem $last_day 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:elsewhere.example\n'
key client-key.pem
signed ca client client-key.pem $last_day 'extendedKeyUsage=clientAuth\n'
signed other-ca stranger client-key.pem $last_day 'extendedKeyUsage=clientAuth\n'
openssl pkcs8 -topk8 -in client-key.pem -v2 aes-256-cbc -passout pass:open-sesame -out client-key-encrypted.pem
chmod 644 ./*.pem
