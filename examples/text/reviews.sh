#!/bin/sh
# reviews.sh -- the film reviews of Pang and Lee as files that reviews.net trains from. usage: reviews.sh txt_sentoken
# learn.csv, valid.csv, test.csv: a line for each review, 0 against or 1 for the film, and the text; of a thousand of each kind the last
# hundred (cv900 to cv999) are the test, the hundred before them choose when to stop. learn.txt: the text of all but the test, in
# lines that the net can see whole.
rows() {  # PATTERN: in turn one of each kind, so that every stretch has both
    for against in "$1"/neg/$2*.txt; do
        number=${against##*/}
        for file in "$against" "$1"/pos/${number%%_*}_*.txt; do
            case $file in */pos/*) kind=1 ;; *) kind=0 ;; esac
            LC_ALL=C tr -cd ' -~\n' <"$file" | tr '\n' ' ' | sed "s/\"/\"\"/g; s/  */ /g; s/^/$kind,\"/; s/ *\$/\"/"
            echo
        done
    done
}
[ -d "$1/neg" ] || { echo "usage: reviews.sh txt_sentoken, the directory that holds neg and pos" >&2; exit 1; }
rows "$1" 'cv[0-7]' >learn.csv
rows "$1" cv8 >valid.csv
rows "$1" cv9 >test.csv
cat learn.csv valid.csv | cut -d, -f2- | sed 's/^"//; s/"$//; s/""/"/g' | fold -s -w 1900 >learn.txt
