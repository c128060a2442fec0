# The results page, the presenter view and the picture of the results, as the server renders them.

results-title = { $title } – resultados
screen-title = { $title } – en pantalla
open-results = Abrir estos resultados
preview-hidden = { $state }. Los resultados están ocultos por ahora.
preview-counted =
    { $people ->
        [one] { $state }. { $people } persona contada.
       *[other] { $state }. { $people } personas contadas.
    }
picture-counted =
    { $people ->
        [one] { $people } persona contada, { $at }
       *[other] { $people } personas contadas, { $at }
    }
printed-as-of = Cifras del
no-script = Estas cifras no se mueven solas: para eso necesitan JavaScript.
no-script-reload = Volver a cargar la página
no-script-newer = para ver otras más recientes.
hidden-title = Los resultados están ocultos por ahora
standings = Clasificación
turnout-and-pace = Participación y ritmo
people-counted-label = Personas contadas
votes-per-second = Votos por segundo
chart-caption = Votos por segundo, últimos 5 minutos
chart-ago = hace 5 min
chart-now = ahora
vote-at = Vote en
vote-link = Votar
table-summary = Resultados en una tabla
table-caption = Votos de cada opción; porcentajes de las personas contadas
table-option = Opción
table-votes = Votos
table-share = Porcentaje
as-of = A fecha de
light-as-of = A fecha de { $at }
all-polls = Todas las votaciones
poll-state =
    { $state ->
        [draft] borrador
        [scheduled] programada
        [open] abierta
        [closed] cerrada
        [archived] archivada
       *[other] desconocida
    }
curtain-words = Se mostrarán en un momento.
and-more = y { $count } más
how-to-vote = Cómo votar
qr-label = Código QR de la dirección de abajo
scan-or-go = Escanee, o vaya a
screen-keys = Pantalla
key-full = pantalla completa
key-hide = ocultar
key-reveal = revelar
key-previous = Votación anterior
key-next = Votación siguiente
