#!/usr/bin/env bash
# Plays the speech worker in tests that are not about speech. It says the same
# two sentences for every recording; the language of the request decides how:
#   sl  tells a little progress, then takes 20 s
#   de  telling the voices apart fails (recognition succeeds)
#   et  answers nonsense
#   da  dies
#   hr  every process that is to tell the voices apart dies
#   nn  hears nobody
language=ru
line=

# Waits without a process of its own, and not for a server that is gone.
pause() {
    local left=$(($1 * 10))
    while [ "$left" -gt 0 ] && kill -0 "$PPID" 2>/dev/null; do
        read -rt 0.1 <> <(:) || :
        left=$((left - 1))
    done
}

word() { printf '{"start_ms":%d,"end_ms":%d,"text":"%s","confidence":0.9}' "$1" "$2" "$3"; }

greeting="$(word 200 800 Здравствуйте,),$(word 900 1300 компания),$(word 1300 1800 Ромашка,),$(word 1900 2100 меня),$(word 2100 2300 зовут),$(word 2300 2800 Ольга.)"
question="$(word 4200 4500 Добрый),$(word 4500 4900 день,),$(word 4900 5200 где),$(word 5200 5500 мой),$(word 5500 6200 заказ?)"
first='{"start_ms":200,"end_ms":2800}'
second='{"start_ms":4200,"end_ms":6200}'

recognized() {
    local channels
    if [ "$language" = nn ]; then
        channels='{"speech":[],"segments":[]}'
    elif [[ $line == *channel-1* ]]; then
        channels="{\"speech\":[$first],\"segments\":[{\"words\":[$greeting]}]},{\"speech\":[$second],\"segments\":[{\"words\":[$question]}]}"
    else
        channels="{\"speech\":[$first,$second],\"segments\":[{\"words\":[$greeting]},{\"words\":[$question]}]}"
    fi
    printf '{"recognized":{"language":"ru","model":"script","channels":[%s]}}\n' "$channels"
}

while IFS= read -r line; do
    if [[ $line == *'"do":"transcribe"'* ]]; then
        [[ $line =~ \"language\":\"([a-z]+)\" ]] && language=${BASH_REMATCH[1]}
        echo '{"progress":0.25}'
        case "$language" in
        sl) pause 20 ;;
        et)
            echo 'good morning'
            continue
            ;;
        da)
            echo 'the script gives up' >&2
            exit 9
            ;;
        esac
        echo '{"progress":0.5}'
        [[ $line =~ \"channels\":\[\"([^\"]+)\" ]] && [ "$language" = hr ] && : >"${BASH_REMATCH[1]}.dies"
        recognized
    elif [[ $line =~ \"channel\":\"([^\"]+)\" ]] && [ -e "${BASH_REMATCH[1]}.dies" ]; then
        echo 'the script gives up' >&2
        exit 9
    elif [ "$language" = de ]; then
        echo '{"failed":{"code":"diarization_failed","message":"the script fails","retryable":true}}'
    else
        printf '{"voices":[{"voice":0,"span":%s},{"voice":1,"span":%s}]}\n' "$first" "$second"
    fi
done
