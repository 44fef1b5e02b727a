"""Pages of the product."""

from django.urls import path

from workflows import views

app_name = "workflows"
urlpatterns = [
    path("", views.gallery, name="gallery"),
    path("create/", views.create, name="create"),
    path("price/", views.price, name="price"),
    path("pictures/", views.own_pictures, name="own-pictures"),
    path("pictures/<uuid:pk>/delete/", views.delete_picture, name="delete-picture"),
    path("<uuid:pk>/", views.detail, name="detail"),
    path("<uuid:pk>/live/", views.live, name="live"),
    path("<uuid:pk>/card/", views.card, name="card"),
    path("<uuid:pk>/cancel/", views.cancel, name="cancel"),
    path("<uuid:pk>/retry/", views.retry, name="retry"),
    path("<uuid:pk>/delete/", views.delete, name="delete"),
]
