# Sentences that the scripts of the results page and of the presenter view write; the server writes some of them first. They
# may hold variables and selections by number, and no other part of Fluent.

results-final = Resultado final: la votación se ha cerrado
results-counting-some =
    { $waiting ->
        [one] Cerrada: se cuenta el último voto
       *[other] Cerrada: se cuentan los últimos { $waiting }
    }
results-counting = Cerrada: se cuentan los últimos votos
results-not-open = Aún no abierta
results-open = La votación está abierta
until = hasta
closed-at = cerrada
opens-at = se abre
hidden-not-published = Quienes organizan esta votación no los han publicado.
hidden-counting = Aparecerán aquí en cuanto se cuenten los últimos votos.
hidden-until = Aparecerán aquí en cuanto se cierre la votación, { $at }.
hidden-until-close = Aparecerán aquí en cuanto se cierre la votación.
hidden-after-vote = Usted los ve en cuanto ha votado, y todos los ven en cuanto se cierra la votación.
lead-tied = Empate
lead-most = Más votos
lead-leading = En cabeza
votes =
    { $votes ->
        [one] { $votes } voto
       *[other] { $votes } votos
    }
people-counted =
    { $people ->
        [one] { $people } persona contada.
       *[other] { $people } personas contadas.
    }
spoken-option = { $label }: { $share }, { $votes }
spoken-reveal = Ahora se muestran los resultados.
spoken-hidden = Los resultados están ocultos ahora.
spoken-lost = Se ha perdido la conexión: las cifras no se mueven.
spoken-back = La conexión ha vuelto.
light-live = En directo
light-silent = Sin novedades desde hace { $seconds } s
light-stale = Desactualizado desde { $at }
light-reconnecting = Reconectando…
light-reconnecting-as-of = Reconectando… cifras de { $at }
light-connecting = Conectando…
chart-summary = Máximo { $peak }, media { $mean } votos por segundo
chart-empty = Ningún voto en los últimos 5 minutos
countdown-closes-at = se cierra { $at }
countdown-opens-at = se abre { $at }
countdown-closes-in = se cierra en
countdown-opens-in = se abre en
people-voted =
    { $people ->
        [one] persona ha votado
       *[other] personas han votado
    }
