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
account-link = Qué ha sido de cada papeleta
account-title = { $title } – cuenta de todas las papeletas
account-intro = Qué ha sido de cada papeleta aceptada. Una papeleta está aceptada en cuanto quien vota lo ha leído. Las cifras se toman en un mismo momento de los dos servidores.
account-balanced = La cuenta cuadra: cada papeleta aceptada está en una de estas líneas.
account-missing = Papeletas que faltan desde { $since }: { $ballots }. Fueron aceptadas y no están en ninguna de estas líneas. Quienes dirigen esta votación deben buscarlas.
account-surplus = Papeletas de más desde { $since }: { $ballots }. Están en estas líneas y no fueron aceptadas. Quienes dirigen esta votación deben averiguar de dónde vienen.
account-unknown = No se sabe cuántas papeletas fueron aceptadas: el servidor que las cuenta volvió a un estado anterior.
account-none = La cuenta de esta votación todavía no se ha hecho.
account-until = Papeletas recibidas hasta
account-old = Esta cuenta es antigua: no se pudo hacer otra más reciente.
account-ballots = Papeletas
account-number = Número
account-meaning = Qué significa
account-counted = Contadas
account-counted-words = Están en el resultado.
account-replaced = Sustituidas
account-replaced-words = Cuenta otra papeleta de la misma persona.
account-out-of-time = Fuera de plazo
account-out-of-time-words = La votación no estaba abierta cuando llegaron.
account-no-code = Sin código
account-no-code-words = La persona no tiene código de esta votación.
account-dead = Apartadas
account-dead-words = No se pueden leer o contar y se guardan para quienes dirigen esta votación.
account-dropped = Descartadas
account-dropped-words = Estaban apartadas y quienes dirigen esta votación las retiraron.
account-waiting = En espera
account-waiting-words = Están guardadas y se contarán a continuación.
account-unexplained = Sin explicar
account-accepted = Aceptadas
account-number-unknown = no se sabe
account-results = Los resultados

# La página con el resultado de un segundo pasado.
past-link = El resultado de un segundo pasado
past-title = { $title } – estado a las { $at }
past-intro = El resultado tal como estaba en este segundo, sumado a partir del registro público: todas las papeletas que habían llegado hasta entonces, cada una a la hora en que fue aceptada.
past-at = El resultado a las
past-steps = Otros segundos
past-seconds = { $number } s
past-minutes = { $number } min
past-agrees = La serie temporal coincide: de las papeletas que habían llegado hasta entonces, { $log } cuentan hoy.
past-differs = El registro y la serie temporal difieren. De las papeletas que habían llegado hasta entonces, { $log } cuentan hoy según el registro y { $series } según la serie. Eso pasa mientras se cuentan papeletas; si continúa, pregunte a quienes organizan esta votación.
